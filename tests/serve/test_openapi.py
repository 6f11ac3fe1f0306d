"""The OpenAPI document says what the server does: schemathesis asks what it permits and what it forbids."""

import subprocess
import sys
from pathlib import Path

from serving import in_thread

CONFIG = """
# A form may be right for the document and wrong for this model: a feature that it does not have, say.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 401, 404, 422, "5xx"]
"""


def test_the_document_is_whole(server):
    document = server.client.get("/openapi.json").json()
    assert {"/v1/predict", "/v1/search", "/v1/model", "/v2/models/{model}/infer", "/metrics"} <= set(
        document["paths"]
    )
    forms = document["components"]["schemas"]
    assert forms["PredictRequest"]["properties"]["k"]["maximum"] == 50  # of this server
    assert forms["PredictRequest"]["additionalProperties"] is False
    for name in references(document):
        assert name in forms, name


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].removeprefix("#/components/schemas/")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_schemathesis_finds_no_fault(served, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with in_thread(served, max_inputs=8, max_k=20) as server:
        program = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"{server.address}/openapi.json",
        ]
        options = ["--max-examples", "15", "--seed", "1", "--checks", "all", "--no-color"]
        options += ["--phases", "examples,coverage,fuzzing", "--generation-database", "none"]
        done = subprocess.run(
            program + options,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not server.log("request failed")
