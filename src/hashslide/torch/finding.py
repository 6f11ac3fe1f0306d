"""Classes that an example is likely to confuse with its own, and candidates for its best ones."""

from abc import ABC, abstractmethod
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashslide import _core
from hashslide.errors import InputError
from hashslide.settings import KMeans
from hashslide.settings.hash_families import HASH, HASH_FAMILIES, CustomHash, HashFamily
from hashslide.torch import kernels, operations
from hashslide.torch.labels import Labels

__all__ = ["Candidates", "ExactFinder", "Finder", "TableFinder", "finder_of"]


def __dir__() -> list[str]:
    return __all__


Found = tuple[NDArray[np.int64], NDArray[np.int32]]  # offsets (N + 1,) and classes, best first


def finder_of(family: Any, budget: int, num_classes: int, width: int, seed: int) -> "Finder | None":
    """Return what finds hard negatives: None, "exact", or hash tables of a family of the core.

    Raises
    ------
    InputError
        `family` is nothing of this.
    """
    if family is None:
        return None
    if isinstance(family, str) and family == "exact":
        return ExactFinder(budget)
    if isinstance(family, str) and family not in HASH_FAMILIES:
        raise InputError(
            f"hash is {family!r}; accepted are None, 'exact', {', '.join(map(repr, HASH_FAMILIES))}."
        )
    checked = HASH.check("hash", family)
    if isinstance(checked, CustomHash):
        raise InputError(
            "hash is an object of your own; a SlideLoss takes the families of hashslide.settings."
        )
    return TableFinder(checked, budget, num_classes, width, seed)


class Finder(ABC):
    """Finds up to `budget` classes for each example, without counting the labels of its own."""

    def __init__(self, budget: int) -> None:
        self.budget = budget

    @abstractmethod
    def find(
        self, h: Tensor, weight: Tensor, bias: Tensor | None, labels: Labels, step: int, n_threads: int
    ) -> Found | None:
        """Return the classes of each example of a training step; None while there is nothing to look up."""

    def forget(self) -> None:  # noqa: B027  # most have nothing to forget
        """Start anew, as the weights are others."""


class ExactFinder(Finder):
    """The classes of largest logit, found by scoring all of them: O(N C width) a step, as the upper bound."""

    def find(
        self, h: Tensor, weight: Tensor, bias: Tensor | None, labels: Labels, step: int, n_threads: int
    ) -> Found | None:
        """Return the best classes of each example."""
        most = int(labels.begin.diff().max()) if labels.n else 0
        k = min(len(weight), self.budget + most)
        if h.device.type == "cpu":
            ids = kernels.exact_topk(h, weight, bias, k, n_threads)[1]
        else:
            ids = operations.exact_topk(h, weight, bias, k)[1]
        found = ids.cpu().numpy().astype(np.int32)
        return np.arange(len(found) + 1, dtype=np.int64) * k, found.reshape(-1)


class TableFinder(Finder):
    """What most hash tables of a family name, in tables that follow the weights as in SlideClassifier."""

    def __init__(self, family: HashFamily, budget: int, num_classes: int, width: int, seed: int) -> None:
        super().__init__(budget)
        self.family, self.num_classes, self.width, self.seed = family, num_classes, width, seed
        self.forget()

    def forget(self) -> None:
        """Drop the tables; they are built again at the next step."""
        self._index: Any = None
        self._touched: NDArray[np.int32] | None = None
        self._no_bias: NDArray[np.float32] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_index": None, "_touched": None, "_no_bias": None}

    def touch(self, ids: NDArray[np.int32]) -> None:
        """Note the rows that the next update changes."""
        self._touched = ids

    def find(
        self, h: Tensor, weight: Tensor, bias: Tensor | None, labels: Labels, step: int, n_threads: int
    ) -> Found | None:
        """Bring the tables up to date with the weights, and look up each example."""
        w, b, queries = self._arrays(h, weight, bias)
        if self._index is None:
            self._index = _index_of(self.family, self.num_classes, self.width, self.seed)
            if step > self.family.rehash_first:  # a head that was loaded, copied or trained without tables
                self._index.build(w, b, n_threads)
        if self._touched is not None:
            self._index.touch(self._touched)
            self._touched = None
        if step > 1:
            self._index.maintain(w, b, step - 1, n_threads)
        found = None
        if self._index.ready:
            found = _core.sample(
                "top",
                *(w, b, queries, self._index),
                budget=self.budget,
                uncounted_begin=labels.begin.numpy(),
                uncounted_ids=labels.ids.numpy().astype(np.int32),
                seed=self.seed,
                step=step,
                n_threads=n_threads,
            )
        self._index.observe(queries)
        return found

    def _arrays(self, h: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[NDArray[np.float32], ...]:
        if weight.device.type != "cpu" or weight.dtype != torch.float32:
            raise InputError(
                f"hash={self.family.name!r} needs float32 weights on the CPU, and these are {weight.dtype} "
                f"on {weight.device.type}. Use hash='exact', or none."
            )
        if bias is None and self._no_bias is None:
            self._no_bias = np.zeros(self.num_classes, np.float32)
        b = self._no_bias if bias is None else bias.detach().numpy()
        assert b is not None
        return weight.detach().numpy(), b, h.detach().float().contiguous().numpy()


def _index_of(family: HashFamily, num_classes: int, width: int, seed: int) -> Any:
    settings = SimpleNamespace()
    family.copy_to(settings, width)  # type: ignore[arg-type]  # the names of the core's settings
    return _core.NeuronIndex(num_classes, width, seed, **vars(settings))


class Candidates:
    """Cells around learned centres, for approximate top-k: an example scores what its nearest cells hold.

    They are built when they are first asked for, and again when the weights have changed.
    """

    _FAMILY = KMeans(probes=24, augment=True, centre_queries=False)

    def __init__(self) -> None:
        self._index: Any = None
        self._version: Any = None
        self._no_bias: NDArray[np.float32] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_index": None, "_version": None, "_no_bias": None}

    def topk(
        self, h: Tensor, weight: Tensor, bias: Tensor | None, k: int, seed: int, n_threads: int
    ) -> tuple[Tensor, Tensor]:
        """Return (values, ids), both (N, k); a row of -1 where the cells hold fewer than k classes."""
        w = weight.detach().numpy()
        if bias is None and self._no_bias is None:
            self._no_bias = np.zeros(len(w), np.float32)
        b = self._no_bias if bias is None else bias.detach().numpy()
        assert b is not None
        version = (weight._version, weight.data_ptr(), None if bias is None else bias._version)
        if version != self._version:
            self._index = _index_of(self._FAMILY, len(w), w.shape[1], seed)
            self._index.build(w, b, n_threads)
            self._version = version
        x = h.detach().float().contiguous()
        begin, found = _core.sample(
            "scored", w, b, x.numpy(), self._index, budget=k, seed=seed, step=0, n_threads=n_threads
        )
        ids = np.full((len(x), k), -1, np.int64)
        is_whole = np.diff(begin) == k
        ids[is_whole] = found[np.repeat(is_whole, np.diff(begin))].reshape(-1, k)
        chosen = torch.from_numpy(ids)
        rows = weight.detach()[chosen.clamp(min=0)]
        values = torch.einsum("nd,nkd->nk", x, rows)
        if bias is not None:
            values = values + bias.detach()[chosen.clamp(min=0)]
        order = values.argsort(dim=1, descending=True, stable=True)
        return values.gather(1, order), chosen.gather(1, order)
