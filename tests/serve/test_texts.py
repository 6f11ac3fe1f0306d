"""Models of texts: columns, explanations in words, and examples that the model kept."""

import numpy as np
import pytest
from scipy import sparse
from serving import in_thread
from text_models import KEPT, serve_texts

from hashslide import SlideClassifier, SlideTextClassifier
from hashslide.serve._models import Options, ServedModel, Text

TITLE, BODY = "insulin rats", "glucose in the blood of rats"


@pytest.fixture(scope="module")
def texts(pubmed_small, tmp_path_factory):
    served, model = serve_texts(pubmed_small, tmp_path_factory.mktemp("texts"))
    with in_thread(served) as server:
        yield server, model


def expected(model, documents, **options):
    labels, scores = model.predict_topk(documents, **options)
    return [list(zip(*row, strict=True)) for row in zip(labels.tolist(), scores, strict=True)]


def pairs(prediction):
    return [(one["label"], np.float32(one["score"])) for one in prediction["labels"]]


def test_columns_are_asked_by_name(texts):
    server, model = texts
    inputs = [{"text": {"title": TITLE, "body": BODY}}, {"text": {"body": BODY}}, TITLE, {"text": TITLE}]
    answer = server.predict(*inputs, {"features": {"3": 1.0}}, k=4)["predictions"]
    documents = {"title": [TITLE, "", TITLE, TITLE], "body": [BODY, BODY, TITLE, TITLE]}
    assert [pairs(one) for one in answer[:4]] == expected(model, documents, k=4, probabilities=True)
    row = sparse.csr_matrix(
        ([1.0], ([0], [3])), shape=(1, model.classifier_.n_features_in_), dtype=np.float32
    )
    alone = model.classifier_.predict_topk(row, k=4, probabilities=True)
    assert pairs(answer[4]) == list(zip(alone[0][0].tolist(), alone[1][0], strict=True))


def test_words_and_examples_are_told(texts):
    server, model = texts
    found = server.client.get("/v1/search", params={"q": TITLE, "k": 5, "explain": 3, "examples": 1}).json()
    labels = [one["label"] for one in found["labels"]]
    parts = model.explain({"title": [TITLE], "body": [TITLE]}, labels, by_word=True)[0]
    for one, part in zip(found["labels"], parts, strict=True):
        assert [why["feature"] for why in one["why"]] == [f for f, amount in part.features if amount > 0][:3]
        assert one["examples"] == model.examples_of([one["label"]])[0][:1]
    assert {why["feature"].partition(": ")[0] for one in found["labels"] for why in one["why"]} == {
        "title",
        "body",
    }
    assert all('"' not in why["feature"] for one in found["labels"] for why in one["why"])
    many = server.predict(TITLE, examples=20)["predictions"][0]["labels"]
    assert max(len(one["examples"]) for one in many) == KEPT


def test_words_that_the_model_does_not_know_are_told(texts):
    server, _ = texts
    some, all_, none = server.predict("insulin xyzzy", "xyzzy plugh", "insulin")["predictions"]
    assert (some["unknown"], none["unknown"]) == (["xyzzy"], [])
    assert sorted(all_["unknown"]) == ["plugh", "xyzzy"]
    given = server.predict({"text": {"title": "xyzzy", "body": "xyzzy plugh insulin"}})["predictions"][0]
    assert sorted(given["unknown"]) == ["plugh", "xyzzy"]


def test_the_model_tells_its_columns(texts):
    server, _ = texts
    told = server.client.get("/v1/model").json()
    assert told["input"]["kind"] == "text" and told["input"]["columns"] == ["title", "body"]
    assert told["keeps_examples"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": {"tittle": "x"}}, "inputs.0: the column 'tittle' is unknown; the model has title, body."),
        ({"names": {"rats": 1}}, "inputs.0: the features of this model have no names to ask by"),
        (
            {"text": {"title": 5}},
            "'where': 'inputs.0.text.title', 'problem': 'Input should be a valid string.'",
        ),
        ({"text": {"title": "x " * 6000, "body": "x " * 6000}}, "it has 12,000 words"),
    ],
)
def test_what_it_cannot_be_asked_is_refused(texts, given, words):
    server, _ = texts
    refused = server.client.post("/v1/predict", json={"inputs": [given]})
    assert refused.status_code == 422 and words in str(refused.json())


@pytest.mark.parametrize("probabilities", [True, False])
def test_hidden_labels_are_in_no_answer(tmp_path, probabilities):
    """Where hidden labels leave fewer than are asked for, nothing stands in for them, nor is it explained."""
    texts = ["red shoes", "blue shoes", "red wine"]
    model = SlideTextClassifier(SlideClassifier(4, epochs=2, random_state=0), keep_examples=1)
    model.fit(texts, [["shoes"], ["shoes", "blue"], ["wine"]]).hide_labels(["shoes"]).save(tmp_path / "m")
    options = Options(k=3, probabilities=probabilities, explain=2, examples=1)
    (found,) = ServedModel.load(tmp_path / "m").answer([Text("red shoes")], options)
    assert sorted(one["label"] for one in found.labels) == ["blue", "wine"]
