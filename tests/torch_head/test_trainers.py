"""Accelerate, Hugging Face's trainer, Lightning and skorch train trunk and head with one joined optimiser."""

import lightning
import pytest
import skorch
import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from transformers import Trainer, TrainingArguments

from hashslide.torch import JoinedOptimizer, RowAdagrad, SlideLoss, profile_head

CLASSES = 300


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(16, 32)
        self.head = SlideLoss(32, CLASSES, negatives=100, random_state=0)

    def forward(self, x, labels=None, num_items_in_batch=None):
        h = self.trunk(x)
        loss = None if labels is None else self.head(h, labels, num_items_in_batch=num_items_in_batch)
        return {"loss": loss, "h": h}


def optimizer_of(model):
    return JoinedOptimizer(
        torch.optim.AdamW(model.trunk.parameters(), 1e-2), RowAdagrad(model.head.parameters(), 0.5)
    )


def examples():
    x = torch.randn(1500, 16)
    return x, (x @ torch.randn(16, CLASSES)).argmax(1)


def accuracy(model, x, y):
    return float((model.head.topk(model.trunk(x), 1)[1][:, 0] == y).float().mean())


def test_accelerate():
    x, y = examples()
    model, accelerator = Model(), Accelerator(cpu=True)
    wrapped, optimizer, loader = accelerator.prepare(
        model, optimizer_of(model), DataLoader(TensorDataset(x, y), 50)
    )
    for _ in range(2):
        for inputs, labels in loader:
            accelerator.backward(wrapped(inputs, labels)["loss"])
            accelerator.clip_grad_norm_(wrapped.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    assert accuracy(model, x, y) > 0.5


def test_the_trainer_of_hugging_face(tmp_path):
    x, y = examples()
    model = Model()
    arguments = TrainingArguments(
        str(tmp_path),
        per_device_train_batch_size=25,
        gradient_accumulation_steps=2,
        num_train_epochs=3,
        logging_steps=30,
        disable_tqdm=True,
        report_to=[],
        use_cpu=True,
    )
    rows = [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]
    trainer = Trainer(model, arguments, train_dataset=rows, optimizers=(optimizer_of(model), None))
    trainer.train()
    losses = [record["loss"] for record in trainer.state.log_history if "loss" in record]
    assert (
        losses[-1] < losses[0] < 2 * torch.log(torch.tensor(CLASSES))
    )  # not summed over the accumulated parts
    assert accuracy(model, x, y) > 0.5


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning", "ignore:.*does not have many workers")
def test_lightning():
    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = Model()

        def training_step(self, batch, _):
            return self.model(*batch)["loss"]

        def configure_optimizers(self):
            return optimizer_of(self.model)

    x, y = examples()
    module = Module()
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        gradient_clip_val=1.0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(TensorDataset(x, y), 50))
    assert accuracy(module.model, x, y) > 0.5


def test_skorch():
    class Net(skorch.NeuralNet):
        def get_loss(self, y_pred, y_true, X=None, training=False):
            return self.module_.head(y_pred["h"], y_true)

        def initialize_optimizer(self, *_, **__):
            self.optimizer_ = optimizer_of(self.module_)
            return self

    x, y = examples()
    net = Net(Model, criterion=nn.Identity, max_epochs=2, batch_size=50, train_split=None, verbose=0)
    net.fit(x.numpy(), y.numpy())
    assert accuracy(net.module_, x, y) > 0.5


def test_a_profile_says_where_the_time_goes():
    trunk = nn.Linear(16, 32)
    profile = profile_head(trunk, torch.randn(50, 16), 2000, repeats=1, negatives=50, max_bytes=2**18)
    assert profile.measured_classes == 2**18 // (12 * 32) < profile.num_classes == 2000
    assert min(profile.trunk, profile.full, profile.sampled, profile.sampled_update, profile.full_update) > 0
    assert profile.break_even > 0 and profile.speedup > 0
    assert "2,000 classes" in str(profile) and trunk.weight.grad is None
