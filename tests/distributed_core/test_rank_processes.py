"""Ranks as processes, which exchange arrays by gloo."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hashslide.csr import as_csr, as_pattern

pytest.importorskip("torch")
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def results(pubmed_small, tmp_path_factory):
    """What each rank of 1, 2 and 4 has written."""
    folder = tmp_path_factory.mktemp("ranks")
    x, y = as_csr(pubmed_small.X_train[:300]), as_pattern(pubmed_small.Y_train[:300])
    np.savez(
        folder / "data.npz",
        x_indptr=x.indptr,
        x_indices=x.indices,
        x_data=x.values,
        n_features=x.n_columns,
        y_indptr=y.indptr,
        y_indices=y.indices,
        n_labels=y.n_columns,
    )
    path = os.pathsep.join([str(HERE), *sys.path])
    ranks = [(size, rank) for size in (1, 2, 4) for rank in range(size)]
    started = [
        subprocess.Popen(
            [sys.executable, HERE / "rank_program.py", str(rank), str(size), folder],
            env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for size, rank in ranks
    ]
    for process in started:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    return {place: dict(np.load(folder / f"rank{place[0]}_{place[1]}.npz")) for place in ranks}


def test_any_number_of_processes_gives_the_same_bits(results):
    one = results[1, 0]
    for size in (2, 4):
        shards = {}
        for rank in range(size):
            np.testing.assert_array_equal(results[size, rank]["losses"], one["losses"])
            np.testing.assert_array_equal(results[size, rank]["labels"], one["labels"])
            shards |= {name: a for name, a in results[size, rank].items() if name.startswith("shard")}
        expected = {name: a for name, a in one.items() if name.startswith("shard")}
        assert shards.keys() == expected.keys()
        for name, array in expected.items():
            assert array.tobytes() == shards[name].tobytes(), name


def test_parts_of_any_lengths_arrive(results):
    for (size, rank), found in results.items():
        assert found["lengths"].tolist() == [rank * 3 + sender for sender in range(size)]
        assert found["sent"] == 8 * sum(to * 3 + rank for to in range(size) if to != rank)
