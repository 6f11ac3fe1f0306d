"""A folder with a part of the built-in set, and a model trained on it."""

import pytest
from commands import SMALL, run

from hashslide import data
from hashslide.estimator import SlideClassifier


@pytest.fixture(scope="session")
def folder(tmp_path_factory, pubmed_small):
    """A folder with train.txt.gz, test.txt.gz, labels.txt.gz and features.txt.gz."""
    path = tmp_path_factory.mktemp("mesh")
    data.save(path / "train.txt.gz", pubmed_small.X_train, pubmed_small.Y_train)
    data.save(path / "test.txt.gz", pubmed_small.X_test, pubmed_small.Y_test)
    data.save_names(path / "labels.txt.gz", pubmed_small.label_names)
    data.save_names(path / "features.txt.gz", pubmed_small.feature_names)
    return path


@pytest.fixture(scope="session")
def trained(folder):
    """The model of that folder, and what `train` printed."""
    path = folder / "m.hashslide"
    return path, run("train", folder, "-o", path, *SMALL)


@pytest.fixture
def model(trained):
    """Its file."""
    return trained[0]


@pytest.fixture
def classifier(model):
    """The model in memory, without the feature names that scikit-learn would miss in sparse matrices."""
    loaded = SlideClassifier.load(model)
    del loaded.feature_names_in_
    return loaded
