"""Step 3 of one layer in NumPy: a sampler with the tables that it looks up.

Part of the specification in reference.py.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.reference.families import hash_family
from hashslide.reference.kmeans import KMeansCells
from hashslide.reference.samplers import sample
from hashslide.reference.tables import Family, MipsMap, NeuronIndex, PackedIndex
from hashslide.settings import CustomHash, HashFamily, KMeans, Sampler
from hashslide.settings.base import own_values
from hashslide.settings.hash_families import RandomFamily, SignCodes

__all__ = ["INDEX_SETTINGS", "Selector", "make_family", "make_index"]


def __dir__() -> list[str]:
    return __all__


# Fields of the settings that the index has, not the family or the map.
INDEX_SETTINGS: tuple[str, ...] = ("bucket_policy", "bucket_size", "probes")
INDEX_SETTINGS += ("rehash_first", "rehash_growth", "rehash_changed", "rehash_every")


def make_family(settings: HashFamily, n_neurons: int, width: int, seed: int) -> Family:
    """The hash family for vectors of `width` floats."""
    s = settings
    if isinstance(s, CustomHash):
        return s.family
    if isinstance(s, KMeans):
        n_cells = s.cells or int(2 * np.sqrt(n_neurons))
        return KMeansCells(min(max(1, n_cells), n_neurons), width, s.tables, seed)
    if isinstance(s, SignCodes):
        return hash_family("fast_simhash", width, n_neurons, s.bits, 1, seed)
    assert isinstance(s, RandomFamily)
    own = {name: getattr(s, name) for name in ("bin_size", "top") if hasattr(s, name)}
    return hash_family(s.name, width, n_neurons, s.tables, s.hashes, seed, **own)


def make_index(settings: HashFamily, n_neurons: int, width: int, seed: int) -> NeuronIndex:
    """The hash tables for neurons of `width` inputs."""
    s = settings
    options = {name: getattr(s, name) for name in ("bias", "centre", "augment")}
    mips = MipsMap(
        width, centre_queries=s.centres_queries(width), norm_ranges=getattr(s, "norm_ranges", 1), **options
    )
    family = make_family(s, n_neurons, s.width(width), seed)
    own = {name: getattr(s, name) for name in INDEX_SETTINGS if hasattr(s, name)}
    if isinstance(s, SignCodes):
        return PackedIndex(family, n_neurons, seed, mips=mips, bucket_size=0, **own)
    return NeuronIndex(family, n_neurons, seed, mips=mips, **own)


class Selector:
    """Chooses the neurons of each example; index: its tables, None where the sampler looks up none."""

    def __init__(
        self, sampler: Sampler | None, family: HashFamily | None, n_neurons: int, width: int, seed: int
    ):
        self.sampler, self.seed = sampler, seed
        self.index = None if family is None else make_index(family, n_neurons, width, seed)

    def select(
        self,
        weight: NDArray[Any],
        bias: NDArray[Any],
        queries: NDArray[Any],
        step: int,
        uncounted: list[NDArray[Any]] | None = None,
    ) -> list[list[int]]:
        """Neurons of each query in the order of choice; `uncounted` as in `sample`. step: 0 to predict."""
        found = self._found(queries)
        assert self.sampler is not None
        options: dict[str, Any] = {
            "uncounted": uncounted,
            "seed": self.seed,
            "step": step,
            "same_draws": step == 0,
        }
        options |= own_values(self.sampler)
        return sample(self.sampler.name, weight, bias, queries, found, **options)

    def _found(self, queries: NDArray[Any]) -> list[list[list[NDArray[Any]]]] | None:
        if self.index is None or not self.index.builds:
            return None
        return [
            [
                [np.array(table.bucket(b), np.int64) for b in buckets if b >= 0]
                for table, buckets in zip(self.index.tables, of_tables, strict=True)
            ]
            for of_tables in self.index.look_up(queries).tolist()
        ]
