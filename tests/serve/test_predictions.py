"""Answers over HTTP are those of the model, bit for bit, whatever comes with them."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hashslide import SlideClassifier
from hashslide.serve._models import Options, ServedModel, Text


def rows_of(X, n=12):
    """The rows as inputs by numbers."""
    return [
        {"features": {str(f): float(v) for f, v in zip(X[i].indices, X[i].data, strict=True)}}
        for i in range(n)
    ]


def pairs(prediction):
    return [(one["label"], np.float32(one["score"])) for one in prediction["labels"]]


def expected(topk):
    return [list(zip(*row, strict=True)) for row in zip(topk[0].tolist(), topk[1], strict=True)]


@pytest.mark.parametrize("options", [{}, {"k": 50}, {"probabilities": False}, {"approximate": False}])
def test_features_by_number_are_predicted_as_in_python(server, classifier, pubmed_small, options):
    answer = server.predict(*rows_of(pubmed_small.X_test), **options)
    topk = classifier.predict_topk(pubmed_small.X_test[:12], **({"probabilities": True} | options))
    assert [pairs(one) for one in answer["predictions"]] == expected(topk)
    assert answer["approximate"] == (options.get("approximate", True) is not False)


def test_words_are_read_as_the_command_line_reads_them(server, model_file, pubmed_small):
    words = [
        " ".join(f"{pubmed_small.feature_names[f]}:{v:.3g}" for f, v in zip(x.indices, x.data, strict=True))
        for x in (pubmed_small.X_test[i] for i in range(8))
    ]
    words = [text for text in words if "\t" not in text] + ["rats rats insulin", "nobody-knows-this", ""]
    command = [
        sys.executable,
        "-m",
        "hashslide",
        "predict",
        str(model_file),
        "-",
        "--by-name",
        "--json",
        "-j",
        "1",
    ]
    done = subprocess.run(command, input="\n".join(words) + "\n", capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    answer = server.predict(*words)["predictions"]
    assert [pairs(one) for one in answer] == [
        list(zip(line["labels"], map(np.float32, line["scores"]), strict=True)) for line in lines
    ]
    assert answer[-2]["unknown"] == ["nobody-knows-this"] and answer[-2]["n_features"] == 0


def test_forms_of_inputs_can_be_mixed(server):
    forms = ["rats insulin", {"names": {"rats": 1, "insulin": 1}}, {"text": "rats insulin"}, "Rats INSULIN"]
    other = {"features": {"3": 1.0, "0": 0.0}}
    mixed = server.predict(forms[1], other, *forms)["predictions"]
    assert all(one == mixed[0] for one in mixed[2:])
    assert mixed[1] == server.predict(other)["predictions"][0] and mixed[1]["n_features"] == 1
    assert mixed[0]["n_features"] == 2


def test_a_name_counts_by_its_value(server):
    weighed = server.predict({"names": {"rats": 3, "insulin": 1, "zzz": 1}}, "rats:3 insulin")["predictions"]
    assert weighed[0]["labels"] == weighed[1]["labels"]
    assert weighed[0]["unknown"] == ["zzz"]
    assert weighed[0]["labels"] != server.predict("rats insulin")["predictions"][0]["labels"]


def test_search_answers_like_predict_and_tells_why(server, classifier):
    found = server.client.get("/v1/search", params={"q": "rats insulin xyzzy", "k": 4}).json()
    labels = server.predict("rats insulin", k=4)["predictions"][0]["labels"]
    assert [{"label": one["label"], "score": one["score"]} for one in found["labels"]] == labels
    assert found["unknown"] == ["xyzzy"] and found["query"] == "rats insulin xyzzy"
    row = np.zeros((1, classifier.n_features_in_), np.float32)
    row[0, [list(classifier.feature_names_in_).index(word) for word in ("rats", "insulin")]] = 0.5**0.5
    loaded = type(classifier).load(server.app.service.model.summary.path)
    del loaded.feature_names_in_
    for one, parts in zip(found["labels"], loaded.explain(row, [x["label"] for x in labels])[0], strict=True):
        names = [(str(classifier.feature_names_in_[f]), a) for f, a in parts.features if a > 0]
        assert [(why["feature"], pytest.approx(why["amount"])) for why in one["why"]] == names[:5]
    assert any(one["why"] for one in found["labels"])


def test_many_clients_at_once_get_their_own_answers(server, classifier, pubmed_small):
    inputs = rows_of(pubmed_small.X_test, 64)
    wanted = expected(classifier.predict_topk(pubmed_small.X_test[:64], 5, True))
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(server.predict, inputs))
    assert [pairs(one["predictions"][0]) for one in answers] == wanted


def test_an_answer_comes_from_one_model(server, model_file):
    model = ServedModel.load(model_file, jobs=1)
    answer = server.predict("rats")
    assert (answer["model"], answer["version"]) == ("mesh", model.version)
    alone = model.answer([Text("rats")], Options())
    assert alone[0].labels == answer["predictions"][0]["labels"]


def test_what_is_left_out_of_a_recommendation(tmp_path):
    from hashslide import SlideClassifier
    from hashslide.serve._models import Features

    names = [f"item {i}" for i in range(6)]
    X = np.eye(6, dtype=np.float32)[np.arange(60) % 6]
    Y = [[names[(i + 1) % 6], names[(i + 2) % 6]] for i in range(60)]
    model = SlideClassifier(hidden=8, random_state=0, n_jobs=1).fit(X, Y, classes=names)
    model.feature_names_in_ = np.array(names, object)
    model.save(tmp_path / "items.hashslide")
    served = ServedModel.load(tmp_path / "items.hashslide", jobs=1)
    for probabilities in (True, False):
        options = Options(k=6, probabilities=probabilities, exclude_input=True)
        served.check(options)
        (answer,) = served.answer([Features({2: 1.0, 4: 1.0})], options)
        assert {one["label"] for one in answer.labels} == set(names) - {"item 2", "item 4"}


def test_the_model_tells_what_it_is(server, classifier):
    told = server.client.get("/v1/model").json()
    assert told["labels"] == len(classifier.classes_) and told["features"] == classifier.n_features_in_
    assert told["input"]["kind"] == "words" and told["approximate"]["available"]
    assert [one["setting"] for one in told["settings"]] == list(classifier.settings_)
    assert len(told["history"]) == 2 and told["history"][0]["val_P@1"] > 0
    counts = classifier.network_.label_counts
    assert told["top_labels"][0]["examples"] == counts.max()
    assert sum(one["labels"] for one in told["label_counts"]) == len(counts)
    assert told["limits"] == {"max_inputs": 16, "max_k": 50, "max_words": 1000, "max_body": 100_000}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"])
def test_health(server, path):
    assert server.client.get(path).status_code == 200


def test_numbers_of_features_that_there_are_not_are_unknown(tmp_path):
    """Also those whose first digits are the number of one that there is."""
    SlideClassifier(4, epochs=1).fit(np.eye(3, dtype=np.float32), [0, 1, 2]).save(tmp_path / "m")
    texts = ["1:1 3:1", "0000000000001999999:1", "1" + "0" * 5000, "²:1 -1:1 0x1:1"]
    found = ServedModel.load(tmp_path / "m", jobs=1).answer([Text(text) for text in texts], Options(k=1))
    assert [one.n_features for one in found] == [1, 0, 0, 0]
    assert [len(one.unknown) for one in found] == [1, 1, 1, 3]
