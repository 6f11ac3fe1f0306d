"""Ids are dealt out evenly, and everybody finds them again."""

import numpy as np
import pytest

from hashslide.distributed.sharding import Sharding
from hashslide.errors import InputError


def zipf(n, exponent, total=10**7):
    shares = 1 / np.arange(1, n + 1) ** exponent
    return np.random.default_rng(0).permutation(np.round(total * shares / shares.sum()).astype(np.int64))


@pytest.mark.parametrize("exponent", [0.5, 0.8, 0.95, 1.2])
@pytest.mark.parametrize("n_shards", [8, 16])
def test_shards_have_about_the_same_load_on_zipf_counts(exponent, n_shards):
    counts = np.minimum(zipf(50_000, exponent), 10**7 // (2 * n_shards))
    sharding = Sharding.balanced(counts, n_shards)
    loads = sharding.loads(counts)
    assert loads.sum() == counts.sum()
    assert loads.max() / loads.mean() <= 1.05
    for n_ranks in (2, 4):
        of_ranks = sharding.loads(counts, n_ranks)
        assert of_ranks.sum() == counts.sum()
        assert of_ranks.max() / of_ranks.mean() <= 1.05


def test_ids_without_load_even_out_the_rows():
    counts = np.zeros(1000, np.int64)
    counts[:3] = 50
    sharding = Sharding.balanced(counts, 8)
    assert sharding.sizes.max() - sharding.sizes.min() <= 1


@pytest.mark.parametrize("n", [1, 5, 1000])
def test_places_lead_back_to_the_ids(n):
    sharding = Sharding.balanced(np.random.default_rng(n).integers(0, 9, n), 8)
    everything = np.arange(n)
    seen = np.zeros(n, int)
    for shard in range(8):
        ids = sharding.ids_of(shard)
        assert len(ids) == sharding.sizes[shard]
        np.testing.assert_array_equal(sharding.shard_of(ids), shard)
        np.testing.assert_array_equal(sharding.local(ids), np.arange(len(ids)))
        np.testing.assert_array_equal(sharding.owner_of(ids, 4), shard // 2)
        seen[ids] += 1
    np.testing.assert_array_equal(seen, 1)
    np.testing.assert_array_equal(
        sharding.places, sharding.local(everything) * 8 + sharding.shard_of(everything)
    )


def test_it_takes_8_bytes_an_id():
    sharding = Sharding.balanced(np.ones(10_000), 16)
    held = sum(a.nbytes for a in vars(sharding).values() if isinstance(a, np.ndarray))
    assert held <= 8 * 10_000 + 16 * 32


def test_heavy_ids_come_first_in_their_shard():
    counts = zipf(5000, 0.8)
    sharding = Sharding.balanced(counts, 8)
    for shard in range(8):
        assert (np.diff(counts[sharding.ids_of(shard)]) <= 0).all()


@pytest.mark.parametrize("n_shards", [0, 2000])
def test_absurd_numbers_of_shards_are_refused(n_shards):
    with pytest.raises(InputError, match="accepted are"):
        Sharding.balanced(np.ones(10), n_shards)
