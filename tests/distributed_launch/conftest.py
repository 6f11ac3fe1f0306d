"""A pack of real data, the model of an undisturbed training, and a folder for temporary files."""

import tempfile

import pytest
from launch_helpers import job_of

from hashslide.data import Pack
from hashslide.distributed.exchange import Alone
from hashslide.distributed.launching.rank import run_rank


@pytest.fixture(scope="session")
def pack(tmp_path_factory, small_examples):
    """Its examples are few, as each process of a test has to start."""
    X, Y = small_examples
    return Pack.build([(X, Y)], tmp_path_factory.mktemp("packs") / "train.pack").path


@pytest.fixture(scope="session")
def small_examples(pubmed_small):
    return pubmed_small.X_train[:400], pubmed_small.Y_train[:400]


@pytest.fixture(scope="session")
def undisturbed(pack, tmp_path_factory):
    """The model file of a rank alone, in this process."""
    path = tmp_path_factory.mktemp("models") / "m.hashslide"
    run_rank(job_of(pack, path), Alone(), n_threads=1)
    return path


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of temporary files of this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder
