"""Pages and examples work on the built-in data; for the tests a small part of them stands in."""

import os
from pathlib import Path

import pytest
from data_helpers import slice_of

from hashslide import data
from hashslide.data import datasets

ROWS, TEST_ROWS = 700, 200


@pytest.fixture(scope="session")
def small_builtin(tmp_path_factory, pubmed) -> Path:
    """A folder of built-in data whose pubmed-mesh is small."""
    small = slice_of(pubmed, ROWS, TEST_ROWS)
    folder = tmp_path_factory.mktemp("builtin") / "pubmed-mesh"
    folder.mkdir()
    data.save_xmc(folder / "train.txt.gz", small.X_train, small.Y_train)
    data.save_xmc(folder / "test.txt.gz", small.X_test, small.Y_test)
    data.save_names(folder / "features.txt.gz", small.feature_names)
    data.save_names(folder / "labels.txt.gz", small.label_names)
    return folder.parent


@pytest.fixture
def reader(small_builtin, tmp_path, monkeypatch) -> Path:
    """An empty folder in which a reader of the documentation works, on small data and one core."""
    monkeypatch.setattr(datasets, "_FOLDER", small_builtin)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "BUILTIN": str(small_builtin),
        "OMP_NUM_THREADS": "1",
        "MPLBACKEND": "agg",
        "PYTHONPATH": os.pathsep.join(
            [str(Path(datasets.__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        ),
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path
