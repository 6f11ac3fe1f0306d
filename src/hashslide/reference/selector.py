"""Step 3 of one layer in NumPy: a sampler with the tables that it looks up.

Part of the specification in reference.py.
"""

import numpy as np
from numpy.typing import NDArray

from hashslide.reference.families import hash_family
from hashslide.reference.kmeans import KMeansCells
from hashslide.reference.samplers import Found, sample
from hashslide.reference.tables import MipsMap, NeuronIndex
from hashslide.selection import Selection

# Settings of a family, where they are not those of all.
FAMILY_SETTINGS = {"wta": ("bin_size",), "dwta": ("bin_size",), "minhash": ("top",)}


def make_family(selection: Selection, n_neurons: int, width: int, seed: int):
    """The hash family of a selection, for vectors of `width` floats."""
    name = selection.hash
    if not isinstance(name, str):
        return name
    if name == "kmeans":
        n_cells = selection.cells or int(2 * np.sqrt(n_neurons))
        return KMeansCells(min(max(1, n_cells), n_neurons), width, selection.tables, seed)
    settings = {key: getattr(selection, key) for key in FAMILY_SETTINGS.get(name, ())}
    return hash_family(name, width, n_neurons, selection.tables, selection.hashes, seed, **settings)


def make_index(selection: Selection, n_neurons: int, width: int, seed: int) -> NeuronIndex:
    """The hash tables of a selection for neurons of `width` inputs."""
    s = selection
    options = {name: getattr(s, name) for name in ("bias", "centre", "augment", "norm_ranges")}
    mips = MipsMap(width, centre_queries=s.centres_queries(width), **options)
    return NeuronIndex(
        make_family(s, n_neurons, width + s.bias + s.augment, seed),
        n_neurons,
        seed,
        mips=mips,
        policy=s.bucket_policy,
        bucket_limit=s.bucket_size,
        probes=s.probes,
        first_build=s.rehash_first,
        rebuild_growth=s.rehash_growth,
        rebuild_changed=s.rehash_changed,
        refresh=s.rehash_every,
    )


class Selector:
    """Chooses the neurons of each example; index: its tables, None where the sampler looks up none."""

    def __init__(self, selection: Selection, n_neurons: int, width: int, seed: int):
        self.selection, self.seed = selection, seed
        self.index = make_index(selection, n_neurons, width, seed) if selection.looks_up else None

    def select(
        self,
        weight: NDArray,
        bias: NDArray,
        queries: NDArray,
        step: int,
        exclude: list[NDArray] | None = None,
    ) -> list[list[int]]:
        """Neurons of each query in the order of choice, none of `exclude`. step: 0 in predictions."""
        s, found = self.selection, self._found(queries)
        options = {name: getattr(s, name) for name in ("budget", "min_count", "alpha", "beta")}
        options |= {"exclude": exclude, "seed": self.seed, "step": step, "same_draws": step == 0}
        return sample(s.sampler, weight, bias, queries, found, **options)

    def _found(self, queries: NDArray) -> list[Found] | None:
        if self.index is None or not self.index.builds:
            return None
        return [
            [
                [np.array(table.bucket(b), np.int64) for b in buckets if b >= 0]
                for table, buckets in zip(self.index.tables, of_tables, strict=True)
            ]
            for of_tables in self.index.look_up(queries).tolist()
        ]
