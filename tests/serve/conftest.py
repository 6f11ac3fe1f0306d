"""Models to serve, and servers that many tests ask."""

import pytest
from serving import in_thread, process

from hashslide import SlideClassifier
from hashslide.serve._models import ServedModel


@pytest.fixture(scope="session")
def model_file(tmp_path_factory, pubmed_small):
    """A model with names of labels and features, and with lists of candidates. Do not change it."""
    d = pubmed_small
    model = SlideClassifier(hidden=32, epochs=2, approximate=True, ranker=True, n_jobs=1, random_state=0)
    held_out = d.X_test[:100], d.Y_test[:100]
    model.fit(d.X_train, d.Y_train, eval_set=held_out, classes=d.label_names)
    model.tune_approximate(*held_out, share=0.8)
    assert model.scores_candidates()
    model.feature_names_in_ = d.feature_names
    path = tmp_path_factory.mktemp("served") / "mesh.hashslide"
    model.save(path, optimizer_state=False)
    return path


@pytest.fixture(scope="session")
def other_file(tmp_path_factory, pubmed_small):
    """Another model of the same features."""
    d = pubmed_small
    model = SlideClassifier(hidden=16, epochs=1, ranker=False, approximate=False, n_jobs=1, random_state=1)
    model.fit(d.X_train[:500], d.Y_train[:500], classes=d.label_names)
    model.feature_names_in_ = d.feature_names
    path = tmp_path_factory.mktemp("other") / "mesh.hashslide"
    model.save(path, optimizer_state=False)
    return path


@pytest.fixture(scope="session")
def classifier(model_file):
    """The model in memory."""
    return SlideClassifier.load(model_file).set_params(n_jobs=1)


@pytest.fixture
def served(model_file):
    """The model as a server has it, of this test alone."""
    model = ServedModel.load(model_file, jobs=1)
    model.warm()
    return model


@pytest.fixture(scope="session")
def server(model_file):
    """A server that many tests ask."""
    model = ServedModel.load(model_file, jobs=1)
    model.warm()
    with in_thread(model, max_inputs=16, max_k=50, max_words=1000, max_body=100_000, queue=256) as running:
        yield running


@pytest.fixture(scope="session")
def two_workers(model_file, tmp_path_factory):
    """The command with two workers, which no test stops."""
    with process(tmp_path_factory.mktemp("workers"), model_file, "--workers", 2, "-j", 1) as running:
        yield running
