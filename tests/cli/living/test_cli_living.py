"""``hashslide update``, ``drift``, ``add``, ``hide`` and ``forget``."""

import json

import numpy as np
import pytest
from commands import SMALL, run
from scipy import sparse

from hashslide import SlideClassifier, data


@pytest.fixture(scope="module")
def updated(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("living")
    run("train", folder, "-o", path / "m0", *SMALL, "--reservoir", 50, "--optimizer-state")
    result = run("update", path / "m0", folder, "-o", path / "m1", "--json")
    return path, json.loads(result.stdout)


def test_update_learns_into_a_new_file(updated, folder):
    path, done = updated
    old, new = (SlideClassifier.load(path / name) for name in ("m0", "m1"))
    assert new.n_iter_ == old.n_iter_ + 1 and done["new_labels"] == 0 and not hasattr(old, "drift_")
    assert len(new._reservoir.tickets) <= 50 < new._reservoir.n_seen


def test_update_adds_the_labels_that_occur(updated, folder, tmp_path):
    path, _ = updated
    X = data.load(folder / "train.txt.gz")[0][:3]
    Y = sparse.csr_matrix(np.eye(3, 4, dtype=np.float32))
    data.save(tmp_path / "new.txt", X, Y)
    data.save_names(tmp_path / "names.txt", ["first new", "second new", "third new", "never"])
    run(
        "update",
        path / "m0",
        tmp_path / "new.txt",
        "-o",
        tmp_path / "m",
        "--label-names",
        tmp_path / "names.txt",
    )
    classes = SlideClassifier.load(tmp_path / "m").classes_
    assert classes[-3:].tolist() == ["first new", "second new", "third new"]


def test_drift(updated, tmp_path):
    path, done = updated
    (line,) = run("drift", path / "m1", "--json").stdout.splitlines()
    assert json.loads(line)["P@1"] == done["P@1"]
    assert "prior_shift" in run("drift", path / "m1").stdout
    run("drift", path / "m1", "--plot", tmp_path / "drift.html")
    assert "updates" in (tmp_path / "drift.html").read_text()
    assert "not been updated" in run("drift", path / "m0", code=1).stderr


def test_labels_go(updated, tmp_path):
    path, _ = updated
    names = SlideClassifier.load(path / "m1").classes_[:2].tolist()
    data.save_names(tmp_path / "gone.txt", names)
    run("hide", path / "m1", "--names-file", tmp_path / "gone.txt", "-o", tmp_path / "hidden")
    assert SlideClassifier.load(tmp_path / "hidden").hidden_labels_.tolist() == names
    run("hide", tmp_path / "hidden", "--label", names[0], "--undo", "-o", tmp_path / "shown")
    assert SlideClassifier.load(tmp_path / "shown").hidden_labels_.tolist() == names[1:]
    run("forget", path / "m1", "--names-file", tmp_path / "gone.txt", "-o", tmp_path / "less")
    assert not set(names) & set(SlideClassifier.load(tmp_path / "less", verify=True).classes_)


def test_labels_come(updated, folder, tmp_path):
    path, _ = updated
    X = data.load(folder / "train.txt.gz")[0][:2]
    data.save(tmp_path / "new.txt", X, sparse.csr_matrix(np.eye(2, dtype=np.float32)))
    data.save_names(tmp_path / "names.txt", ["one more", "two more"])
    given = ["--label-names", tmp_path / "names.txt"]
    run("add", path / "m1", tmp_path / "new.txt", "-o", tmp_path / "m", *given)
    assert SlideClassifier.load(tmp_path / "m").classes_[-2:].tolist() == ["one more", "two more"]
    data.save(tmp_path / "new.txt", X, sparse.csr_matrix(np.ones((2, 2), np.float32)))
    result = run("add", path / "m1", tmp_path / "new.txt", "-o", tmp_path / "m2", *given, code=1)
    assert "has 2 labels; accepted is one" in result.stderr and not (tmp_path / "m2").exists()


def test_what_is_refused(updated, tmp_path):
    path, _ = updated
    assert "no label is named" in run("forget", path / "m1", "-o", tmp_path / "m", code=1).stderr
    result = run("forget", path / "m1", "--label", "nobody", "-o", tmp_path / "m", code=1)
    assert "'nobody', which the model does not have" in result.stderr
    assert (
        "accepted"
        in run("update", path / "m1", "pubmed-mesh", "--decay", 1, "-o", tmp_path / "m", code=1).stderr
    )
    assert not (tmp_path / "m").exists()
