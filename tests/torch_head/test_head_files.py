"""Heads are saved, copied and taken up; their model file is that of a classifier, and the other way round."""

import copy
import io
import json
import pickle

import numpy as np
import pytest
import torch
from small_heads import CLASSES, WIDTH, batch, small_head
from typer.testing import CliRunner

from hashslide import SlideClassifier, model_file
from hashslide.cli import app
from hashslide.errors import InputError, ModelFileError
from hashslide.settings import DWTA
from hashslide.torch import RowAdagrad, SlideLoss


def trained(**settings):
    head = small_head(negatives=80, **settings)
    rows = RowAdagrad(head.parameters(), 0.5)
    for _ in range(60):
        rows.zero_grad()
        head(*batch()).backward()
        rows.step()
    return head


def goes_on(head):
    torch.manual_seed(9)
    h, y = batch()
    return head(h, y)


@pytest.mark.parametrize("hash", [None, DWTA(tables=5)], ids=["drawn", "hashed"])
def test_copies_and_states_go_on_alike(hash):
    head = trained(hash=hash)
    file = io.BytesIO()
    torch.save(head.state_dict(), file)
    file.seek(0)
    restored = small_head(negatives=80, hash=hash)
    restored.load_state_dict(torch.load(file))
    twins = [copy.deepcopy(head), pickle.loads(pickle.dumps(head)), restored]
    losses = [goes_on(twin).detach() for twin in twins]
    if hash is None:
        losses.append(goes_on(head).detach())  # its tables are older than those that are built anew
    assert all(torch.equal(losses[0], loss) for loss in losses)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_a_classifier_takes_the_file_of_a_head(tmp_path, loss, dtype):
    head = trained(loss=loss, dtype=dtype, weight=torch.linspace(1, 2, CLASSES))
    head.save(tmp_path / "head.hashslide", classes=[f"class {i}" for i in range(CLASSES)])
    model = SlideClassifier.load(tmp_path / "head.hashslide", verify=True)
    h, _ = batch()
    labels, scores = model.predict_topk(h.detach().numpy(), 4)
    values, ids = head.topk(h, 4)
    tolerance = 0.05 if dtype == torch.bfloat16 else 1e-6  # bfloat16 units round the activations too
    np.testing.assert_allclose(scores, values, rtol=tolerance, atol=tolerance)
    if dtype == torch.float32:
        assert labels.tolist() == [[f"class {i}" for i in row] for row in ids.tolist()]
    assert model.multilabel_ == (loss == "bce")
    again = SlideLoss.load(tmp_path / "head.hashslide")
    assert torch.equal(again.weight, head.weight) and torch.equal(again.bias, head.bias)
    assert torch.equal(again.class_weight, head.class_weight)
    assert again.settings() | {"random_state": 0} == head.settings() | {"random_state": 0}
    fewer = SlideLoss.load(tmp_path / "head.hashslide", negatives=7, reduction="sum")
    assert (fewer.negatives, fewer.reduction, fewer.loss) == (7, "sum", loss)


def test_a_head_without_bias_and_with_counts_and_tables_is_whole(tmp_path):
    head = trained(bias=False, counts=torch.arange(CLASSES), hash=DWTA(tables=7))
    head.save(tmp_path / "head.hashslide")
    again = SlideLoss.load(tmp_path / "head.hashslide")
    assert again.bias is None and torch.equal(again.counts, head.counts)
    assert again.hash == head.hash and again.n_examples == head.n_examples


def test_the_command_predicts_from_a_head(tmp_path):
    head = trained()
    head.save(tmp_path / "head.hashslide")
    h = batch()[0].detach()
    rows = [" ".join(f"{j}:{x:.9g}" for j, x in enumerate(row)) for row in h.tolist()]
    lines = [f"{len(h)} {WIDTH} {CLASSES}", *(f"0 {row}" for row in rows)]
    (tmp_path / "h.txt").write_text("\n".join(lines) + "\n")
    arguments = ["predict", str(tmp_path / "head.hashslide"), str(tmp_path / "h.txt"), "-k", "2", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["labels"] for row in found] == head.topk(h, 2)[1].tolist()


def test_the_classifier_of_a_head_scores_and_trains_on(tmp_path):
    head = trained()
    head.save(tmp_path / "head.hashslide")
    model = SlideClassifier.load(tmp_path / "head.hashslide")
    h, y = batch(ignored=False)
    h, best = h.detach().numpy(), head.topk(h, 1)[1][:, 0].numpy()
    assert model.score(h, best) == 1.0
    before = model.network_.logits(h)
    model.partial_fit(h, y.numpy())
    assert model.score(h, y.numpy()) > np.mean(before.argmax(1) == y.numpy())


def test_a_head_takes_the_output_layer_of_a_classifier(tmp_path):
    X, y = np.random.default_rng(0).random((300, 20), np.float32), np.arange(300) % 30
    model = SlideClassifier(16, epochs=2, ranker=False, random_state=0).fit(X, y)
    model.save(tmp_path / "model.hashslide")
    head = SlideLoss.load(tmp_path / "model.hashslide", negatives=5)
    hidden = torch.from_numpy(model.network_.hidden(model.network_features(X)))
    assert head.topk(hidden, 1)[1][:, 0].tolist() == model.predict(X).tolist()
    assert head.loss == "softmax"


def test_what_cannot_be_saved_or_loaded_is_refused(tmp_path):
    head = small_head()
    with pytest.raises(InputError, match="classes holds 2 names"):
        head.save(tmp_path / "x", classes=["a", "b"])
    with pytest.raises(ModelFileError):
        SlideLoss.load(tmp_path / "nothing")
    head.save(tmp_path / "x")
    with pytest.raises(InputError, match="does not take these settings"):
        SlideLoss.load(tmp_path / "x", speed="high")
    with torch.no_grad():
        head.weight[3, 2] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        head.save(tmp_path / "y")
    assert not (tmp_path / "y").exists()
    model_file.save_model(tmp_path / "z", {"a": np.ones(3)}, {})
    with pytest.raises(ModelFileError):
        SlideLoss.load(tmp_path / "z")
