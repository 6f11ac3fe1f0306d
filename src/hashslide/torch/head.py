"""SlideLoss: linear layer and loss of very many classes in one, from a few classes a step."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from hashslide._checks import check_bool, check_choice, check_int
from hashslide.errors import InputError
from hashslide.settings.limits import MAX_IDS
from hashslide.torch import operations
from hashslide.torch.labels import Labels, labels_of
from hashslide.torch.sampling import Prior, draws, sample

__all__ = ["SlideLoss"]


def __dir__() -> list[str]:
    return __all__


class SlideLoss(nn.Module):
    """Linear layer and cross-entropy of very many classes; a training step computes a few of them."""

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        bias: bool = True,
        *,
        counts: Any = None,
        n_examples: int | None = None,
        loss: str = "softmax",
        negatives: int = 8192,
        in_batch: bool = True,
        hash: Any = None,
        hash_budget: int = 32,
        ignore_index: int = -100,
        reduction: str = "mean",
        weight: Tensor | None = None,
        label_smoothing: float = 0.0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        n_jobs: int | None = None,
        random_state: int | None = None,
    ) -> None:
        super().__init__()
        self.in_features = check_int("in_features", in_features, 1, MAX_IDS)
        self.num_classes = check_int("num_classes", num_classes, 2, MAX_IDS)
        self.loss = check_choice("loss", loss, ("softmax", "bce"))
        self.negatives = check_int("negatives", negatives, 0, MAX_IDS)
        self.in_batch = check_bool("in_batch", in_batch)
        self.hash, self.hash_budget = hash, check_int("hash_budget", hash_budget, 1, MAX_IDS)
        self.ignore_index = check_int("ignore_index", ignore_index, -(2**63), 2**63 - 1)
        self.reduction = check_choice("reduction", reduction, ("mean", "sum", "none"))
        self.n_jobs = n_jobs
        if label_smoothing != 0:
            raise InputError("label_smoothing must be 0: a sample of classes cannot smooth over all of them.")
        if dtype not in (None, torch.float32, torch.bfloat16):
            raise InputError(f"dtype is {dtype}; accepted are torch.float32 and torch.bfloat16.")
        self.seed = (
            int(torch.randint(2**62, ()))
            if random_state is None
            else check_int("random_state", random_state, 0, 2**63 - 1)
        )
        self.steps = 0
        self.register_buffer("class_weight", self._per_class("weight", weight, device))
        self.register_buffer("counts", self._per_class("counts", counts, device), persistent=counts is not None)
        total = 0 if counts is None else int(torch.as_tensor(counts).sum())
        self.n_examples = total if n_examples is None else check_int("n_examples", n_examples, 1, 2**62)
        self.weight = nn.Parameter(torch.empty(num_classes, in_features, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.empty(num_classes, device=device)) if bias else None
        self.reset_parameters()

    def _per_class(self, name: str, values: Any, device: Any) -> Tensor | None:
        if values is None:
            return None
        values = torch.as_tensor(values, dtype=torch.float32, device=device).clone()
        if values.shape != (self.num_classes,) or not bool((values.isfinite() & (values >= 0)).all()):
            raise InputError(
                f"{name} has the shape {tuple(values.shape)}; accepted are {self.num_classes} finite numbers "
                "of 0 or more, one for each class."
            )
        return values

    def reset_parameters(self) -> None:
        """Draw the weights as nn.Linear does; the bias is the log odds of each class, as far as known."""
        bound = 1.0 / math.sqrt(self.in_features)
        nn.init.uniform_(self.weight, -bound, bound, torch.Generator(self.weight.device).manual_seed(self.seed))
        if self.bias is None:
            return
        with torch.no_grad():
            if self._prior() is not None:
                self.bias.copy_(torch.log((self.counts + 0.5) / (self.n_examples + 1.0)))
            else:
                self.bias.fill_(-math.log(self.num_classes) if self.loss == "bce" else 0.0)

    def _prior(self) -> Prior | None:
        return None if self.counts is None else Prior(self.counts, self.n_examples)

    def forward(
        self, input: Tensor, target: Tensor, *, exact: bool | None = None, num_items_in_batch: Any = None
    ) -> Tensor:
        """Return the loss."""
        h = self._activations(input)
        labels = labels_of(
            target, input.shape[:-1], self.num_classes, self.ignore_index, self.loss == "bce"
        )
        is_exact = not self.training if exact is None else exact
        losses = self._exact(h, labels) if is_exact else self._sampled(h, labels)
        return self._reduced(losses, labels, input.shape[:-1], num_items_in_batch)

    def _activations(self, h: Tensor) -> Tensor:
        if not isinstance(h, Tensor) or not h.is_floating_point() or h.dim() < 1 or h.shape[-1] != self.in_features:
            found = f"a tensor of {h.dtype} of shape {tuple(h.shape)}" if isinstance(h, Tensor) else type(h).__name__
            raise InputError(f"the input is {found}; accepted are floats of shape (..., {self.in_features}).")
        return h.reshape(-1, self.in_features)

    def _exact(self, h: Tensor, labels: Labels) -> Tensor:
        return operations.exact_losses(
            h, self.weight, self.bias, labels, self.class_weight, self.loss == "bce"
        )

    def _sampled(self, h: Tensor, labels: Labels) -> Tensor:
        self.steps += 1
        drawn = draws(self.negatives, self.num_classes, self.seed, self.steps, h.device)
        found, own = None, None
        active = sample(labels, self.num_classes, drawn, self.in_batch, self._prior(), found, own)
        return operations.sampled_losses(
            h, self.weight, self.bias, labels, active, self.class_weight, self.loss == "bce"
        )

    def _reduced(self, losses: Tensor, labels: Labels, shape: torch.Size, n_items: Any) -> Tensor:
        losses = losses.masked_fill(~labels.counted, 0.0)
        if self.reduction == "none":
            return losses.reshape(shape)
        total = losses.sum()
        if n_items is not None:
            return total / n_items
        if self.reduction == "sum":
            return total
        if self.class_weight is None or self.loss == "bce":
            return total / labels.counted.sum()
        shares = self.class_weight[labels.ids] / labels.begin.diff()[labels.rows]
        return total / shares.sum()

    @torch.no_grad()
    def topk(self, input: Tensor, k: int, approximate: bool = False) -> tuple[Tensor, Tensor]:
        """Return the k largest logits and their classes, both of shape (..., k), best first."""
        h = self._activations(input)
        check_int("k", k, 1, self.num_classes)
        values, ids = operations.exact_topk(h, self.weight, self.bias, k)
        return values.reshape(*input.shape[:-1], k), ids.reshape(*input.shape[:-1], k)

    def get_extra_state(self) -> dict[str, int]:
        """Return what the draws of the next step depend on."""
        return {"seed": self.seed, "steps": self.steps, "n_examples": self.n_examples}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Go on with the draws where a saved head was."""
        self.seed, self.steps, self.n_examples = state["seed"], state["steps"], state["n_examples"]

    def extra_repr(self) -> str:
        """Return the settings, for print."""
        return (
            f"in_features={self.in_features}, num_classes={self.num_classes}, bias={self.bias is not None}, "
            f"loss={self.loss!r}, negatives={self.negatives}, in_batch={self.in_batch}, hash={self.hash!r}, "
            f"ignore_index={self.ignore_index}, reduction={self.reduction!r}"
        )
