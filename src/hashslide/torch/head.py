"""SlideLoss: the linear layer and the loss of very many classes in one, from a few classes a step."""

import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from hashslide._checks import check_bool, check_choice, check_int
from hashslide._os_errors import StrPath
from hashslide.errors import InputError
from hashslide.network import effective_threads
from hashslide.settings.limits import MAX_IDS
from hashslide.torch import fused as triton_kernels
from hashslide.torch import kernels, operations
from hashslide.torch.finding import Candidates, TableFinder, finder_of
from hashslide.torch.labels import Labels, labels_of
from hashslide.torch.random import draws
from hashslide.torch.sampling import Prior, sample
from hashslide.torch.saving import load_head, save_head

__all__ = ["SlideLoss"]


def __dir__() -> list[str]:
    return __all__


class SlideLoss(nn.Module):
    """Linear layer and loss of very many classes in one; a training step computes a few of them.

    It takes the place of ``nn.Linear(in_features, num_classes)`` and its loss, in the shape of
    ``nn.LinearCrossEntropyLoss``: ``head(trunk(x), y)`` is the loss. While it trains, the classes of a step
    are the labels of the batch, uniform draws, and what hashing finds, each corrected by the logarithm of its
    chance to be there. In ``eval()`` the loss is that of all classes. The gradient of `weight` is sparse: use
    `RowAdagrad` or `RowAdam`, which touch nothing else.

    Parameters
    ----------
    in_features : int
        Width D of the activations.
    num_classes : int
        C, 2 to 2^31 - 1.
    bias : bool, default True
    counts : array-like of shape (C,), optional
        How often each class occurs in the training data. The draws then have less variance, and the bias
        starts at the log odds. Without them the labels of the batch are taken as given.
    n_examples : int, optional
        Examples that were counted; default the sum of `counts`, which is right for one label each.
    loss : {"softmax", "bce"}, default "softmax"
        Cross-entropy over all classes (several labels share it equally), or a binary one for each class,
        summed.
    negatives : int, default 8192
        Uniform draws a step, shared by the batch.
    in_batch : bool, default True
        Whether the labels of an example are negatives for the others.
    hash : None, str or `hashslide.settings.HashFamily`, default None
        Hard negatives: tables of a family ("simhash", "dwta", "kmeans", ... or with settings, as
        ``DWTA(tables=20)``) over float32 weights on the CPU, or "exact", which scores all classes.
    hash_budget : int, default 32
        Classes that hashing may find for an example.
    ignore_index : int, default -100
        Labels of this value count as none.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" is that of the examples that have a label, weighted by `weight` with "softmax" as in
        `torch.nn.CrossEntropyLoss`; "none" returns a loss for each example.
    weight : tensor of shape (C,), optional
        Of each class; with "bce" of its positive term, as ``pos_weight`` of
        `torch.nn.BCEWithLogitsLoss`.
    label_smoothing : float
        Must be 0.
    device, dtype : optional
        Of the weights; float32 or bfloat16.
    n_jobs : int or None, default None
        Threads on the CPU; see `SlideClassifier`. Changes the speed, never the result.
    fused : bool, default False
        Compute the sampled loss by the Triton kernels of `hashslide.torch.fused`, on a GPU.
    random_state : int, optional
        Of the first weights and the draws; default from PyTorch's own generator.

    Attributes
    ----------
    weight : Parameter of shape (C, D)
    bias : Parameter of shape (C,), or None

    Raises
    ------
    InputError
        A setting is out of its range.

    Notes
    -----
    Nothing of a step is O(C), but for ``hash="exact"`` and the rebuilds of tables. On the CPU the core
    computes it, for the same bits with any `n_jobs`; elsewhere torch operations do.

    References
    ----------
    Bengio & Senécal, "Adaptive importance sampling to accelerate training of a neural probabilistic language
    model", IEEE Transactions on Neural Networks 2008.

    Examples
    --------
    >>> import torch
    >>> from hashslide.torch import RowAdagrad, SlideLoss
    >>> trunk, head = torch.nn.Linear(10, 16), SlideLoss(16, 50_000, random_state=0)
    >>> optimizer, rows = torch.optim.AdamW(trunk.parameters()), RowAdagrad(head.parameters())
    >>> x, y = torch.randn(32, 10), torch.randint(50_000, (32,))
    >>> head(trunk(x), y).backward()
    >>> optimizer.step(), rows.step()
    (None, None)
    >>> values, ids = head.topk(trunk(x), 5)
    >>> ids.shape
    torch.Size([32, 5])
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
    counts: Tensor | None
    class_weight: Tensor | None

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
        weight: Any = None,
        label_smoothing: float = 0.0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        n_jobs: int | None = None,
        fused: bool = False,
        random_state: int | None = None,
    ) -> None:
        super().__init__()
        self.fused = check_bool("fused", fused)
        if fused:
            triton_kernels.check()
        self.in_features = check_int("in_features", in_features, 1, MAX_IDS)
        self.num_classes = check_int("num_classes", num_classes, 2, MAX_IDS)
        self.loss = check_choice("loss", loss, ("softmax", "bce"))
        self.negatives = check_int("negatives", negatives, 0, MAX_IDS)
        self.in_batch = check_bool("in_batch", in_batch)
        self.ignore_index = check_int("ignore_index", ignore_index, -(2**63), 2**63 - 1)
        self.reduction = check_choice("reduction", reduction, ("mean", "sum", "none"))
        self.n_jobs, self._n_threads = n_jobs, effective_threads(n_jobs)
        if label_smoothing != 0:
            raise InputError(
                f"label_smoothing is {label_smoothing!r}; accepted is 0, as a sample of the classes does not "
                "show how much to give to all of them."
            )
        if dtype not in (None, torch.float32, torch.bfloat16):
            raise InputError(f"dtype is {dtype}; accepted are torch.float32 and torch.bfloat16.")
        if random_state is None:
            self._seed = int(torch.randint(2**62, ()))
        else:
            self._seed = check_int("random_state", random_state, 0, 2**63 - 1)
        self._steps = 0
        self.hash, self.hash_budget = hash, check_int("hash_budget", hash_budget, 1, MAX_IDS)
        self._finder = finder_of(hash, self.hash_budget, self.num_classes, self.in_features, self._seed)
        self._candidates, self._spare = Candidates(), list[Any]()
        self.register_buffer("class_weight", self._per_class("weight", weight, device))
        self.register_buffer("counts", self._per_class("counts", counts, device))
        total = 0.0 if self.counts is None else float(self.counts.double().sum())
        self.n_examples = (
            max(1, round(total)) if n_examples is None else check_int("n_examples", n_examples, 1, 2**62)
        )
        if self.counts is not None and float(self.counts.max()) > self.n_examples:
            raise InputError(
                f"counts hold {float(self.counts.max()):,.0f} of a class among {self.n_examples:,} examples. "
                "Give n_examples, the number of examples that were counted."
            )
        self.weight = nn.Parameter(torch.empty(num_classes, in_features, device=device, dtype=dtype))
        self.bias = (
            nn.Parameter(torch.empty(num_classes, device=device)) if check_bool("bias", bias) else None
        )
        self.reset_parameters()

    def _per_class(self, name: str, values: Any, device: Any) -> Tensor | None:
        if values is None:
            return None
        try:
            found = torch.as_tensor(values, dtype=torch.float32, device=device).detach().clone()
        except (TypeError, ValueError, RuntimeError):
            raise InputError(f"{name} is {values!r}; accepted are {self.num_classes} numbers.") from None
        if found.shape != (self.num_classes,) or not bool((found.isfinite() & (found >= 0)).all()):
            raise InputError(
                f"{name} has the shape {tuple(found.shape)}; accepted are {self.num_classes} finite "
                "numbers of 0 or more, one for each class."
            )
        return found

    def reset_parameters(self) -> None:
        """Draw the weights as `torch.nn.Linear` does; a bias is the log odds of its class, if known."""
        if self.weight.device.type == "meta":
            return
        bound = 1.0 / math.sqrt(self.in_features)
        generator = torch.Generator(self.weight.device).manual_seed(self._seed)
        nn.init.uniform_(self.weight, -bound, bound, generator)
        if self.bias is None:
            return
        with torch.no_grad():
            if self.counts is not None:
                share = (self.counts + 0.5) / (self.n_examples + 1.0)
                self.bias.copy_(torch.logit(share) if self.loss == "bce" else torch.log(share))
            else:
                self.bias.fill_(-math.log(self.num_classes) if self.loss == "bce" else 0.0)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move what there is; of another type becomes the weight alone, as the rest is small and sums."""
        single = [id(tensor) for tensor in (self.bias, self.counts, self.class_weight)]

        def moved(tensor: Tensor) -> Tensor:
            found = fn(tensor)
            is_cast = id(tensor) in single and found.dtype != tensor.dtype
            return tensor.to(found.device) if is_cast else found

        return super()._apply(moved, recurse)  # type: ignore[no-untyped-call]

    def forward(
        self,
        input: Tensor,
        target: Tensor,
        *,
        exact: bool | None = None,
        num_items_in_batch: int | Tensor | None = None,
    ) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        input : float tensor of shape (..., D)
            Activations of the trunk; any of the float types.
        target : tensor
            Integers of shape (...): a class each; of shape (..., T): several each, padded with
            `ignore_index`; or a sparse CSR matrix (N, C) of ones.
        exact : bool, optional
            Compute all classes, block by block. Default: in ``eval()``.
        num_items_in_batch : int, optional
            With "mean": divide by it, as Hugging Face's trainer wants where it accumulates gradients.

        Returns
        -------
        Tensor
            float32; a scalar, or of shape (...) with reduction "none". NaN for the mean of no examples.

        Raises
        ------
        InputError
            Shapes or types do not fit, or a label is no class.
        """
        return self._loss(input, target, exact, num_items_in_batch)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _loss(self, input: Tensor, target: Tensor, exact: bool | None, n_items: Any) -> Tensor:
        self._refuse_distributed()
        h = self._activations(input)
        is_bce = self.loss == "bce"
        labels = labels_of(target, input.shape[:-1], self.num_classes, self.ignore_index, is_bce)
        if target.device != self.weight.device:
            raise InputError(f"the labels are on {target.device} and the head on {self.weight.device}.")
        is_exact = not self.training if exact is None else check_bool("exact", exact)
        losses = self._exact(h, labels) if is_exact else self._sampled(h, labels)
        return self._reduced(losses, labels, input.shape[:-1], n_items)

    def _refuse_distributed(self) -> None:
        is_split = type(self.weight) is not nn.Parameter
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            is_split |= any(base.__name__ == "FSDPModule" for base in type(self).__mro__)
            is_split |= torch.distributed.get_world_size() > 1
        if is_split:
            raise InputError(
                "a SlideLoss trains in one process: its sparse gradients are not exchanged by DDP, and FSDP "
                "and DTensor would split its rows. Train on one device, or give each process a head of its "
                "own, outside of the wrapped module."
            )

    def _activations(self, h: Any) -> Tensor:
        if not isinstance(h, Tensor):
            found = f"a {type(h).__name__}"
        elif not h.is_floating_point() or h.dim() < 1 or h.shape[-1] != self.in_features:
            found = f"a tensor of {h.dtype} of shape {tuple(h.shape)}"
        elif h.device != self.weight.device:
            found = f"on {h.device} and the head on {self.weight.device}"
        else:
            return h.reshape(-1, self.in_features)
        raise InputError(
            f"the activations are {found}; accepted are floats of shape (..., {self.in_features}) on the "
            "device of the head."
        )

    def _exact(self, h: Tensor, labels: Labels) -> Tensor:
        arguments = (h, self.weight, self.bias, labels, self.class_weight, self.loss == "bce")
        if self._uses_core():
            return kernels.exact_losses(*arguments, self._n_threads)
        return operations.exact_losses(*arguments)

    def _sampled(self, h: Tensor, labels: Labels) -> Tensor:
        self._steps += 1
        is_bce, found = self.loss == "bce", None
        prior = None if self.counts is None else Prior(self.counts, self.n_examples)
        if self._finder is not None and labels.n:
            found = self._finder.find(h, self.weight, self.bias, labels, self._steps, self._n_threads)
        if self._uses_core() and not self.fused:
            draw = kernels.Draw(self.negatives, self.in_batch, prior, self._seed, self._steps, found)
            more = (labels, draw, self.class_weight, is_bce, self._n_threads, self._spare)
            losses, ids = kernels.sampled_losses(h, self.weight, self.bias, *more)
        else:
            drawn = draws(self.negatives, self.num_classes, self._seed, self._steps, h.device)
            active = sample(labels, self.num_classes, drawn, self.in_batch, prior, found)
            ids, by = active.ids, triton_kernels if self.fused else operations
            losses = by.sampled_losses(h, self.weight, self.bias, labels, active, self.class_weight, is_bce)
        if isinstance(self._finder, TableFinder):
            self._finder.touch(ids.numpy().astype(np.int32))
        return losses

    def _uses_core(self) -> bool:
        return kernels.is_core_tensor(self.weight)

    def _reduced(self, losses: Tensor, labels: Labels, shape: torch.Size, n_items: Any) -> Tensor:
        losses = losses.masked_fill(~labels.counted, 0.0)
        if self.reduction == "none":
            return losses.reshape(shape)
        total = losses.sum()
        if self.reduction == "sum":
            return total
        if n_items is not None:
            return total / n_items
        if self.class_weight is None or self.loss == "bce":
            return total / labels.counted.sum()
        return total / operations.shares_of(labels, self.class_weight).sum()

    @torch.no_grad()
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def topk(self, input: Tensor, k: int, approximate: bool = False) -> tuple[Tensor, Tensor]:
        """Return the k largest logits of each example and their classes, best first.

        Parameters
        ----------
        input : float tensor of shape (..., D)
        k : int
            1 to the number of classes.
        approximate : bool, default False
            Score only the classes in the learned cells nearest to each example. The cells are built at the
            first call after the weights have changed. Only for float32 on the CPU; otherwise it is exact.

        Returns
        -------
        values : float32 tensor of shape (..., k)
        ids : int64 tensor of shape (..., k)
            Of equal logits the smaller class comes first on the CPU.
        """
        h = self._activations(input)
        check_int("k", k, 1, self.num_classes)
        check_bool("approximate", approximate)
        if approximate and self._uses_core() and self.weight.dtype == torch.float32:
            settings = (k, self._seed, self._n_threads)
            values, ids = self._candidates.topk(h, self.weight, self.bias, *settings)
            missing = ids[:, 0] < 0
            if bool(missing.any()):
                values[missing], ids[missing] = self._exact_topk(h[missing], k)
        else:
            values, ids = self._exact_topk(h, k)
        return values.reshape(*input.shape[:-1], k), ids.reshape(*input.shape[:-1], k)

    def _exact_topk(self, h: Tensor, k: int) -> tuple[Tensor, Tensor]:
        if self._uses_core():
            return kernels.exact_topk(h, self.weight, self.bias, k, self._n_threads)
        return operations.exact_topk(h, self.weight, self.bias, k)

    def save(self, path: StrPath, classes: ArrayLike | None = None) -> None:
        """Write a hashslide model file of the head, atomically.

        `SlideClassifier.load`, ``hashslide predict`` and ``hashslide serve`` take it; its features are the
        activations of the trunk.

        Parameters
        ----------
        path : path-like
        classes : array-like of shape (C,), optional
            Names of the classes: strings or integers. Default: 0 to C - 1.

        Raises
        ------
        InputError
            `classes` are not C distinct names.
        ModelFileError, OutputError
            The file cannot be written.
        """
        save_head(self, path, classes)

    @classmethod
    def load(cls, path: StrPath, **settings: Any) -> Self:
        """Return a head with the output layer of a hashslide model file.

        Parameters
        ----------
        path : path-like
            A file of `save`, whose settings it takes; or of any other `SlideClassifier`, of which it takes
            the output layer: `in_features` is then the width of the last hidden layer.
        **settings
            Of the head, in place of those in the file, such as ``negatives=1000``.

        Raises
        ------
        ModelFileError
            The file is missing, damaged or of another kind.
        """
        return load_head(cls, path, settings)

    def settings(self) -> dict[str, Any]:
        """Return what the constructor takes besides arrays and what belongs to a machine, as plain values."""
        return {
            "loss": self.loss,
            "negatives": self.negatives,
            "in_batch": self.in_batch,
            "hash": self.hash,
            "hash_budget": self.hash_budget,
            "ignore_index": self.ignore_index,
            "reduction": self.reduction,
            "n_examples": self.n_examples,
            "random_state": self._seed,
        }

    def get_extra_state(self) -> Any:
        """Return what the draws of the next step depend on."""
        return torch.tensor([self._seed, self._steps, self.n_examples], dtype=torch.int64)

    def set_extra_state(self, state: Any) -> None:
        """Go on with the draws where a saved head was."""
        self._seed, self._steps, self.n_examples = (int(number) for number in state)
        if self._finder is not None:
            self._finder.forget()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out memory that is only kept between steps."""
        return self.__dict__ | {"_spare": []}

    def extra_repr(self) -> str:
        """Return the settings, for print."""
        named = {
            "in_features": self.in_features,
            "num_classes": self.num_classes,
            "bias": self.bias is not None,
            **{
                name: value
                for name, value in self.settings().items()
                if name not in ("random_state", "n_examples")
            },
        }
        return ", ".join(f"{name}={value!r}" for name, value in named.items())
