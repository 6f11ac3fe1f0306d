"""Batches do not depend on the number of ranks, and an epoch has every example once."""

import numpy as np
import pytest

from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.data.pack import Pack
from hashslide.distributed.reading import ReadersOfData, ReadersOfPack
from hashslide.training import TrainingData


@pytest.fixture(scope="module")
def pack(pubmed_small, tmp_path_factory):
    path = tmp_path_factory.mktemp("packs") / "small.pack"
    return Pack.build([(pubmed_small.X_train, pubmed_small.Y_train)], path, window="1MB")


@pytest.fixture(params=["pack", "data"])
def readers(request, pack):
    """readers(rank, n_ranks, n_rows=1403)"""

    def of_pack(rank, n_ranks, n_rows=1403, n_readers=8):
        return ReadersOfPack(n_rows, n_readers, rank, n_ranks, pack)

    def of_data(rank, n_ranks, n_rows=1403, n_readers=8):
        rows = np.arange(pack.n_rows)[:n_rows]
        return ReadersOfData(n_rows, n_readers, rank, n_ranks, TrainingData(x=pack.x, y=pack.y, rows=rows))

    return of_pack if request.param == "pack" else of_data


def rows_of(readers, epoch=0, batch_size=64, seed=1, first=0):
    return [batch.rows for batch in readers.batches(epoch, batch_size, seed, first)]


def test_features_are_changed_as_they_are_read(pack):
    def halved(x):
        return Csr.trusted(x.indptr, x.indices, x.values / 2, x.n_columns)

    plain = ReadersOfPack(1403, 8, 1, 4, pack).batches(0, 64, 1)
    changed = ReadersOfPack(1403, 8, 1, 4, pack, halved).batches(0, 64, 1)
    for before, after in zip(plain, changed, strict=True):
        assert before.n_elsewhere == after.n_elsewhere
        old, new = before.x.take(before.rows), after.x.take(after.rows)
        np.testing.assert_array_equal(new.indices, old.indices)
        np.testing.assert_array_equal(new.values, old.values / 2)
        np.testing.assert_array_equal(after.y.take(after.rows).indices, before.y.take(before.rows).indices)


def test_an_epoch_has_every_example_once(readers):
    whole = rows_of(readers(0, 1))
    assert len(whole) == readers(0, 1).n_batches(64) == 22
    np.testing.assert_array_equal(np.sort(np.concatenate(whole)), np.arange(1403))
    sizes = [len(rows) for rows in whole]
    assert max(sizes) - min(sizes) <= 2
    assert max(sizes) <= 66


def test_batches_do_not_depend_on_the_number_of_ranks(readers):
    whole = rows_of(readers(0, 1))
    for n_ranks in (2, 4, 8):
        parts = [rows_of(readers(rank, n_ranks)) for rank in range(n_ranks)]
        for number, rows in enumerate(whole):
            np.testing.assert_array_equal(np.concatenate([part[number] for part in parts]), rows)


def test_every_rank_knows_the_size_of_the_whole_batch(readers):
    whole = rows_of(readers(0, 1))
    for rank in range(4):
        for rows, batch in zip(whole, readers(rank, 4).batches(0, 64, 1), strict=True):
            assert len(batch.rows) + batch.n_elsewhere == len(rows)


def test_epochs_and_seeds_have_orders_of_their_own(readers):
    first = np.concatenate(rows_of(readers(0, 1)))
    for other in (rows_of(readers(0, 1), epoch=1), rows_of(readers(0, 1), seed=2)):
        assert (np.concatenate(other) != first).mean() > 0.9


def test_it_goes_on_in_the_middle_of_an_epoch(readers):
    for rank in range(2):
        whole = rows_of(readers(rank, 2))
        for first in (1, 13, 21):
            rest = rows_of(readers(rank, 2), first=first)
            assert len(rest) == len(whole) - first
            for found, expected in zip(rest, whole[first:], strict=True):
                np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n_rows", [1, 5, 30])
def test_fewer_examples_than_readers_bring(readers, n_rows):
    n_batches = readers(0, 1, n_rows).n_batches(4)
    parts = [rows_of(readers(rank, 4, n_rows), batch_size=4) for rank in range(4)]
    assert [len(part) for part in parts] == [n_batches] * 4
    everything = np.concatenate([rows for part in parts for rows in part])
    np.testing.assert_array_equal(np.sort(everything), np.arange(n_rows))


def test_a_rank_reads_a_run_of_the_pack(pack):
    rows = np.concatenate(rows_of(ReadersOfPack(1403, 8, 1, 4, pack)))
    np.testing.assert_array_equal(np.sort(rows), np.arange(1403 // 4, 1403 * 2 // 4))


def test_weights_of_examples_come_along(pubmed_small):
    x, y = as_csr(pubmed_small.X_train), as_pattern(pubmed_small.Y_train)
    weight = np.ones(x.n_rows, np.float32)
    data = TrainingData(x=x, y=y, rows=np.arange(x.n_rows), sample_weight=weight)
    batch = next(iter(ReadersOfData(x.n_rows, 8, 0, 2, data).batches(0, 64, 0)))
    assert batch.sample_weight is weight
