"""The protocol of KServe and Triton."""

import numpy as np
import pytest

INFER = "/v2/models/mesh/infer"


def tensor(name, datatype, data, shape=None):
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data}


def test_text_goes_in_and_labels_come_out(server):
    body = {"id": "7", "inputs": [tensor("text", "BYTES", ["rats", "insulin mice"])], "parameters": {"k": 3}}
    answer = server.client.post(INFER, json=body).json()
    expected = server.predict("rats", "insulin mice", k=3)["predictions"]
    outputs = {one["name"]: one for one in answer["outputs"]}
    assert outputs["labels"]["shape"] == outputs["scores"]["shape"] == [2, 3]
    assert outputs["labels"]["data"] == [one["label"] for row in expected for one in row["labels"]]
    assert outputs["scores"]["data"] == [one["score"] for row in expected for one in row["labels"]]
    assert (outputs["labels"]["datatype"], outputs["scores"]["datatype"]) == ("BYTES", "FP32")
    assert answer["id"] == "7" and answer["model_name"] == "mesh"


def test_features_go_in_as_a_csr_matrix(server, classifier, pubmed_small):
    X = pubmed_small.X_test[:6]
    body = {
        "inputs": [
            tensor("indptr", "INT64", X.indptr.tolist()),
            tensor("indices", "INT32", X.indices.tolist()),
            tensor("values", "FP32", X.data.tolist()),
        ],
        "outputs": [{"name": "scores"}],
        "parameters": {"probabilities": False, "approximate": False},
    }
    (output,) = server.client.post(INFER, json=body).json()["outputs"]
    assert np.array_equal(
        np.float32(output["data"]).reshape(6, 5), classifier.predict_topk(X, approximate=False)[1]
    )


def test_the_model_tells_its_inputs(server):
    told = server.client.get("/v2/models/mesh").json()
    assert told["inputs"][0] == {"name": "text", "datatype": "BYTES", "shape": [-1]}
    assert server.client.get("/v2/models/mesh/ready").json()["ready"]
    assert server.client.get("/v2").json()["name"] == "hashslide"


INDPTR, INDICES, VALUES = ("indptr", "INT64"), ("indices", "INT32"), ("values", "FP32")


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([tensor("text", "FP32", ["x"])], "text is FP32; accepted is BYTES"),
        ([tensor("text", "BYTES", ["x"], [2])], "text has 1 values and the shape"),
        ([tensor("text", "BYTES", [], [0])], "text is empty"),
        ([tensor("text", "BYTES", ["x"]), tensor("text", "BYTES", ["x"])], "given twice"),
        ([tensor("text", "BYTES", ["x"] * 17)], "there are 17 rows; accepted are up to 16"),
        ([tensor("text", "BYTES", ["x"]), tensor(*VALUES, [1.0])], "accepted are text alone"),
        ([tensor("tokens", "BYTES", ["x"])], "inputs.0.name: Input should be 'text'"),
        ([tensor(*INDPTR, [0, 2, 1]), tensor(*INDICES, [1]), tensor(*VALUES, [1.0])], "indptr does not rise"),
        ([tensor(*INDPTR, [0, 1]), tensor(*INDICES, [-1]), tensor(*VALUES, [1.0])], "an index is negative"),
        ([tensor(*INDPTR, [0, 2]), tensor(*INDICES, [1, 1]), tensor(*VALUES, [1.0, 2.0])], "a feature twice"),
        ([tensor(*INDPTR, [0, 1]), tensor(*INDICES, [99999999]), tensor(*VALUES, [1.0])], "is unknown"),
        ([tensor(*INDPTR, [0, 1]), tensor(*INDICES, ["1"]), tensor(*VALUES, [1.0])], "are not all INT32"),
    ],
)
def test_bad_tensors_are_refused(server, inputs, words):
    refused = server.client.post(INFER, json={"inputs": inputs})
    assert refused.status_code == 422 and words in refused.json()["error"]


def test_unknown_parameters_are_refused(server):
    body = {"inputs": [tensor("text", "BYTES", ["x"])], "parameters": {"kk": 1}}
    assert "parameters.kk: This field is unknown" in server.client.post(INFER, json=body).json()["error"]
