"""``--exclude`` of ``predict`` and ``evaluate``: items that an example has already, and pairs of a file."""

import json

import numpy as np
import pytest
from commands import json_lines, run

from hashslide import SlideClassifier, data, metrics

TRAINING = ("--hidden", 8, "--epochs", 4, "--approximate", "yes", "-q")


@pytest.fixture(scope="module")
def halves(tmp_path_factory, pubmed_small):
    """A folder of a recommendation task: half of an example's labels are its features. Once with names."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("halves")
    (path / "named").mkdir()
    for part in ("train", "test"):
        labels = getattr(pubmed_small, f"Y_{part}")
        given = labels.multiply(rng.random(labels.shape) < 0.5).tocsr().astype(np.float32)
        given.eliminate_zeros()
        wanted = (labels - given).tocsr()
        wanted.eliminate_zeros()
        for folder in (path, path / "named"):
            data.save(folder / f"{part}.txt", given, wanted)
    for stem in ("features", "labels"):
        data.save_names(path / "named" / f"{stem}.txt", pubmed_small.label_names)
    run("train", path, "-o", path / "m", *TRAINING)
    run("train", path / "named", "-o", path / "named" / "m", *TRAINING)
    return path


@pytest.mark.parametrize("kind", [".", "named"])
@pytest.mark.parametrize("options", [["--approximate", "no"], ["--approximate", "yes"]])
def test_predict_leaves_out_the_items_of_the_input(kind, options, halves):
    folder = halves / kind
    lines = json_lines(run("predict", folder / "m", folder, "--exclude", "input", "--json", *options).stdout)
    X, _ = data.load(folder / "test.txt")
    model = SlideClassifier.load(folder / "m")
    names = model.classes_
    assert len(lines) == X.shape[0]
    for i, line in enumerate(lines):
        assert len(line["labels"]) == 5
        assert not set(line["labels"]) & set(names[X[i].indices].tolist())
    plain = json_lines(run("predict", folder / "m", folder, "--json", *options).stdout)
    assert sum(a != b for a, b in zip(plain, lines, strict=True)) > 20


def test_predict_leaves_out_the_items_of_lines(halves):
    folder = halves / "named"
    text = (folder / "test.txt").read_text()
    expected = json_lines(run("predict", folder / "m", folder, "--exclude", "input", "--json").stdout)
    for options in ([], ["--block", 7]):
        lines = run("predict", folder / "m", "--exclude", "input", "--json", *options, input=text).stdout
        assert json_lines(lines) == expected
    message = run("predict", folder / "m", "--exclude", folder / "pairs", input=text, code=1).stderr
    assert "which lines do not have beforehand" in message and "--exclude input" in message


def test_predict_leaves_out_pairs_of_a_file(halves, tmp_path):
    model = SlideClassifier.load(halves / "m")
    X, _ = data.load(halves / "test.txt")
    best, _ = model.predict_topk(X, 8)
    (tmp_path / "pairs").write_text("".join(f"{i} {row[0]}\n{i} {row[2]}\n" for i, row in enumerate(best)))
    command = ("predict", halves / "m", halves, "--exclude", tmp_path / "pairs", "--json", "--logits")
    lines = json_lines(run(*command, "-k", 4).stdout)
    left_out = np.zeros((X.shape[0], len(model.classes_)))
    np.put_along_axis(left_out, best[:, [0, 2]], 1, axis=1)
    expected, scores = model.predict_topk(X, 4, exclude=left_out)
    assert [line["labels"] for line in lines] == expected.tolist()
    np.testing.assert_allclose([line["scores"] for line in lines], scores, rtol=1e-6)
    # A label that becomes one of the 50 best in the place of one that is left out is looked at more closely.
    assert (expected == best[:, [1, 3, 4, 5]]).mean() > 0.9


def test_predict_prints_the_labels_that_are_left(halves, tmp_path):
    n = len(SlideClassifier.load(halves / "m").classes_)
    pairs = [f"{row} {label}\n" for row, kept in ((0, 2), (1, 0)) for label in range(kept, n)]
    (tmp_path / "pairs").write_text("".join(pairs))
    for folder, first in ((halves, {0, 1}), (halves / "named", None)):
        command = ("predict", folder / "m", folder, "--exclude", tmp_path / "pairs", "-k", 3)
        lines = json_lines(run(*command, "--json").stdout)
        assert [len(line["labels"]) for line in lines[:3]] == [2, 0, 3]
        assert [len(line["scores"]) for line in lines[:3]] == [2, 0, 3]
        assert first is None or set(lines[0]["labels"]) == first
        text = run(*command).stdout.splitlines()
        assert (text[0], text[3], text[4]) == ("example 0", "example 1", "example 2")


@pytest.mark.parametrize("kind", [".", "named"])
def test_evaluate_leaves_out_the_items_of_the_input(kind, halves):
    folder = halves / kind
    X, Y = data.load(folder / "test.txt")
    network = SlideClassifier.load(folder / "m").network_
    topk = network.predict_topk(X, 5, exclude=X)[0]
    exact = ("--approximate", "no", "--json")
    found = json.loads(run("evaluate", folder / "m", folder, "--exclude", "input", *exact).stdout)
    for k in (1, 3, 5):
        assert found[f"P@{k}"] == metrics.precision_at_k(Y, topk, k)
        assert found[f"R@{k}"] == metrics.recall_at_k(Y, topk, k)
    plain = json.loads(run("evaluate", folder / "m", folder, *exact).stdout)
    assert found["R@5"] > plain["R@5"]


def test_features_that_are_no_labels_are_refused(folder):
    (folder / "others.txt").write_text("".join(f"word {i}\n" for i in range(9157)))
    options = ("--hidden", 2, "--epochs", 1, "-q", "--feature-names", folder / "others.txt")
    run("train", folder, "-o", folder / "others", *options)
    message = run("predict", folder / "others", folder / "test.txt.gz", "--exclude", "input", code=1).stderr
    assert "no feature bears the name of a label: features are like 'word 0'" in message


def test_a_missing_file_is_named(halves, tmp_path):
    for command in ("predict", "evaluate"):
        message = run(command, halves / "m", halves, "--exclude", tmp_path / "none", code=1).stderr
        assert "none" in message and "Error:" in message


def test_pairs_that_do_not_exist_are_refused(halves, tmp_path):
    (tmp_path / "pairs").write_text("0 99999999\n")
    message = run("predict", halves / "m", halves, "--exclude", tmp_path / "pairs", code=1).stderr
    assert "label 99999999 is out of range" in message
