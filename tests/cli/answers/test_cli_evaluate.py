"""``hashslide evaluate``."""

import json

import numpy as np
import pytest
from commands import run

from hashslide import data, metrics


def test_evaluate_computes_the_metrics(model, classifier, folder):
    report = json.loads(run("evaluate", model, folder, "--json", "-k", "1,4").stdout)
    X, Y = data.load(folder / "test.txt.gz")
    topk = classifier.network_.predict_topk(X, 4)[0]
    counts = np.asarray(data.load(folder / "train.txt.gz")[1].sum(axis=0)).ravel()
    propensity = metrics.propensity(counts, 1500)
    for k in (1, 4):
        assert report[f"P@{k}"] == metrics.precision_at_k(Y, topk, k)
        assert report[f"R@{k}"] == metrics.recall_at_k(Y, topk, k)
        assert report[f"nDCG@{k}"] == metrics.ndcg_at_k(Y, topk, k)
        assert report[f"PSP@{k}"] == metrics.psp_at_k(Y, topk, k, propensity)
        assert report[f"PSnDCG@{k}"] == metrics.psndcg_at_k(Y, topk, k, propensity)
        assert report[f"coverage@{k}"] == metrics.coverage_at_k(Y, topk, k)
    assert report["examples"] == 300 and report["data"] == str(folder / "test.txt.gz")


def test_evaluate_takes_the_propensity_constants(model, folder):
    usual, other = (
        json.loads(run("evaluate", model, folder, "--json", *options).stdout)
        for options in ([], ["--propensity-a", 0.6, "--propensity-b", 2.6])
    )
    assert usual["P@1"] == other["P@1"] and usual["PSP@1"] != other["PSP@1"]


def test_evaluate_matches_columns_by_name(model, folder, tmp_path):
    whole = run("evaluate", model, folder, "--json").stdout
    X, Y = data.load(folder / "test.txt.gz")
    rng = np.random.default_rng(0)
    for matrix, stem in ((X, "features"), (Y, "labels")):
        names = data.load_names(folder / f"{stem}.txt.gz")
        order = rng.permutation(matrix.shape[1])
        data.save_names(tmp_path / f"{stem}.txt", names[order])
        X, Y = (X[:, order], Y) if stem == "features" else (X, Y[:, order])
    data.save(tmp_path / "test.txt", X, Y)
    moved = json.loads(run("evaluate", model, tmp_path / "test.txt", "--json").stdout)
    for name, value in json.loads(whole).items():
        if "@" in name:
            assert moved[name] == pytest.approx(value, abs=1e-6), name


def test_evaluate_counts_unknown_labels_as_missed(model, folder, tmp_path):
    Y = data.load(folder / "test.txt.gz")[1]
    names = data.load_names(folder / "labels.txt.gz")
    names[np.asarray(Y.sum(axis=0)).argmax()] = "a label of another world"
    data.save_names(tmp_path / "names", names)
    known = json.loads(run("evaluate", model, folder, "--json").stdout)
    unknown = json.loads(run("evaluate", model, folder, "--json", "--label-names", tmp_path / "names").stdout)
    assert unknown["P@1"] < known["P@1"]


def test_data_with_more_labels_than_a_named_model_need_names(model, folder, tmp_path):
    (tmp_path / "more.txt").write_text("1 9157 3655\n0 2:1\n")
    assert (
        "3,655 labels without names, the model 3,654 with"
        in run("evaluate", model, tmp_path / "more.txt", code=1).stderr
    )


def test_pairs_are_left_out(folder, model, classifier, tmp_path):
    X, Y = data.load(folder / "test.txt.gz")
    best = classifier.predict_topk(X, 8)[0]
    ids = {name: i for i, name in enumerate(classifier.classes_)}
    pairs = [(row, ids[best[row, column]]) for row in range(0, 300, 3) for column in (0, 2)]
    (tmp_path / "filter.txt").write_text("".join(f"{row} {label}\n" for row, label in pairs))
    command = ("evaluate", model, folder, "-k", "1,5", "--json")
    found = json.loads(run(*command, "--exclude", tmp_path / "filter.txt").stdout)
    left = [
        [name for j, name in enumerate(row) if i % 3 or j not in (0, 2)][:5] for i, row in enumerate(best)
    ]
    truth = Y.tolil()
    for row, label in pairs:
        truth[row, label] = 0
    expected = metrics.summary(truth, left, (1, 5), classes=classifier.classes_)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert found["P@1"] < json.loads(run(*command).stdout)["P@1"]
    (tmp_path / "filter.txt").write_text("0 99999\n")
    assert "label 99999 is out of range" in run(*command, "--exclude", tmp_path / "filter.txt", code=1).stderr
