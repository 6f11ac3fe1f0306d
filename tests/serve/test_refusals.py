"""Bad input: each is answered in one form, logged once, and the server goes on."""

import http.client
import json
import socket

import pytest
from serving import in_thread, wait_for

PREDICT = "/v1/predict"
JSON = {"Content-Type": "application/json"}

BODIES = {
    "no JSON": (b"{inputs", 422, "body: Invalid JSON"),
    "nothing": (b"", 422, "Invalid JSON"),
    "not UTF-8": (b'{"inputs": ["\xff\xfe"]}', 422, "Invalid JSON"),
    "half a surrogate": (b'{"inputs": ["\\ud800"]}', 422, "Invalid JSON"),
    "a list": (b"[]", 422, "body: Input should be an object"),
    "no inputs": (b'{"inputs": []}', 422, "inputs: List should have at least 1 item"),
    "too many inputs": (json.dumps({"inputs": ["x"] * 17}).encode(), 422, "at most 16 items"),
    "an unknown field": (b'{"inputs": ["x"], "kk": 1}', 422, "kk: This field is unknown; leave it out."),
    "an unknown form": (b'{"inputs": [{"words": "x"}]}', 422, "inputs.0: An input is a string"),
    "a number": (b'{"inputs": [5]}', 422, "inputs.0: An input is a string"),
    "two forms": (b'{"inputs": [{"text": "x", "names": {}}]}', 422, "inputs.0.names: This field is unknown"),
    "NaN": (b'{"inputs": [{"features": {"1": NaN}}]}', 422, "inputs.0.features.1: Input should be a finite"),
    "infinity": (
        b'{"inputs": [{"features": {"1": 1e999}}]}',
        422,
        "inputs.0.features.1: Input should be a finite",
    ),
    "beyond float32": (b'{"inputs": [{"names": {"rats": 1e39}}]}', 422, "inputs.0: a value is beyond"),
    "a text as value": (
        b'{"inputs": [{"features": {"1": "2"}}]}',
        422,
        "inputs.0.features.1: Input should be a valid",
    ),
    "true as value": (
        b'{"inputs": [{"features": {"1": true}}]}',
        422,
        "inputs.0.features.1: Input should be a valid",
    ),
    "no number": (b'{"inputs": [{"features": {"one": 1}}]}', 422, "inputs.0.features.one"),
    "an unknown feature": (
        b'{"inputs": ["x", {"features": {"9999999": 1}}]}',
        422,
        "inputs.1: feature 9999999 is",
    ),
    "columns": (
        b'{"inputs": [{"text": {"title": "x"}}]}',
        422,
        "inputs.0: this model has no columns of text",
    ),
    "k = 0": (b'{"inputs": ["x"], "k": 0}', 422, "k: Input should be greater than or equal to 1"),
    "k too large": (b'{"inputs": ["x"], "k": 51}', 422, "k: Input should be less than or equal to 50"),
    "k as text": (b'{"inputs": ["x"], "k": "5"}', 422, "k: Input should be a valid integer"),
    "approximate = 0": (
        b'{"inputs": ["x"], "approximate": 0}',
        422,
        "approximate: Input should be a valid boolean; or",
    ),
    "nothing to exclude": (
        b'{"inputs": ["x"], "exclude": "input"}',
        422,
        "body: the labels and the features",
    ),
    "deep": (b'{"inputs": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", 422, "body: Invalid JSON"),
    "deep objects": (b'{"inputs": ["x"], "k": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}", 422, ""),
    "a huge number": (b'{"inputs": [{"features": {"1": 1' + b"0" * 400 + b"}}]}", 422, "inputs.0"),
    "a number of 50,000 digits": (b'{"inputs": ["x"], "k": 1' + b"0" * 50_000 + b"}", 422, "out of range"),
    "a huge negative number": (b'{"inputs": [{"names": {"rats": -1e308}}]}', 422, "inputs.0: a value"),
    "k below every number": (b'{"inputs": ["x"], "k": -9223372036854775809}', 422, "k: "),
    "100,000 words": (json.dumps({"inputs": ["x " * 40_000]}).encode(), 422, "inputs.0: it has 40,000 words"),
    "too large": (b" " * 100_001, 413, "accepted are up to 100,000 bytes"),
    "10 MB": (b" " * 10_000_000, 413, "accepted are up to 100,000 bytes"),
}


def check_refusal(answer, status, words):
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert told.keys() == {"error", "code", "details", "request_id"}
    assert words in told["error"]
    assert "Traceback" not in answer.text and answer.headers["x-request-id"] == told["request_id"]
    return told


def check_log(server, told, status):
    events = [one for one in server.log() if one.get("id") == told["request_id"]]
    server.logged("request", id=told["request_id"])
    events = [one for one in server.log() if one.get("id") == told["request_id"]]
    assert [(one["status"], one["refused"]) for one in events] == [(status, told["code"])]


@pytest.mark.parametrize("case", BODIES)
def test_a_bad_body_is_refused(server, case):
    body, status, words = BODIES[case]
    answer = server.client.post(PREDICT, content=body, headers=JSON)
    told = check_refusal(answer, status, words)
    check_log(server, told, status)
    assert server.predict("rats")["predictions"][0]["labels"]


@pytest.mark.parametrize("size", [100_001, 5_000_000])
def test_a_large_body_of_unknown_length_is_refused(server, size):
    parts = (b" " * 10_000 for _ in range(size // 10_000 + 1))
    told = check_refusal(server.client.post(PREDICT, content=parts, headers=JSON), 413, "100,000 bytes")
    check_log(server, told, 413)


def test_a_client_that_asks_first_need_not_send_what_is_too_large(server):
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n"
    received = server.raw(head + b"Expect: 100-continue\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 413 ") and b"100 Continue" not in received


def test_a_form_is_no_json(server):
    answer = server.client.post(PREDICT, data={"inputs": "x"})
    check_refusal(answer, 415, "accepted is application/json")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "q: Field required"),
        ("?q=x&k=many", "k: Input should be a valid integer"),
        ("?q=x&k=1000", "k: Input should be less than or equal to 50"),
        ("?q=x&explian=1", "explian: This field is unknown"),
        ("?q=x&approximate=perhaps", "approximate: Input should be 'auto', 'yes' or 'no'"),
        ("?q=" + "x+" * 1001, "inputs.0: it has 1,001 words; accepted are up to 1,000"),
    ],
)
def test_a_bad_search_is_refused(server, query, words):
    told = check_refusal(server.client.get(f"/v1/search{query}"), 422, words)
    check_log(server, told, 422)


@pytest.mark.parametrize(
    ("tensor", "data"),
    [
        ("values", [10**400]),
        ("values", [1e39]),
        ("indices", [10**30]),
        ("indices", [-(2**63) - 1]),
        ("indptr", [0, 10**30]),
    ],
    ids=["values beyond all", "values", "indices", "negative indices", "indptr"],
)
def test_tensors_of_huge_numbers_are_refused(server, tensor, data):
    given = {"indptr": [0, 1], "indices": [3], "values": [1.0]} | {tensor: data}
    kinds = {"indptr": "INT64", "indices": "INT32", "values": "FP32"}
    inputs = [
        {"name": name, "shape": [len(own)], "datatype": kinds[name], "data": own}
        for name, own in given.items()
    ]
    refused = server.client.post(
        "/v2/models/mesh/infer", content=json.dumps({"inputs": inputs}), headers=JSON
    )
    check_refusal(refused, 422, "")


@pytest.mark.parametrize(
    "target", [b"/\xff", b"/v1/search?q=\xff", b"/%00", b"/..%2f..%2fetc%2fpasswd", b"/static/%2e%2e/x", b"*"]
)
def test_odd_addresses_are_answered(server, target):
    received = server.raw(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    status = int(received.split(b" ", 2)[1])
    assert status in (200, 400, 404) and b"Traceback" not in received and b"root:" not in received
    alive = server.client.get("/healthz")
    assert alive.status_code == 200
    server.logged("request", id=alive.headers["x-request-id"])


def test_broken_utf8_in_an_address_is_answered(server):
    received = server.raw(
        b"GET /v1/search?q=%ff%fe+rats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert received.startswith(b"HTTP/1.1 200 ") and b"\xef\xbf\xbd" in received


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/static/none.js", 404),
        ("GET", "/static/..%2f_app.py", 404),
        ("GET", "/v1/predict", 405),
        ("DELETE", "/v1/search", 405),
        ("GET", "/v2/models/other", 404),
    ],
)
def test_an_unknown_address_is_refused(server, method, path, status):
    told = check_refusal(server.client.request(method, path), status, "")
    check_log(server, told, status)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, b"431"),
        (b"GET /" + b"x" * 100_000, b"431"),
    ],
    ids=["garbage", "header", "length", "large header", "large address"],
)
def test_what_is_no_http_is_refused(server, data, status):
    before = len(server.log())
    received = server.raw(data)
    assert received.startswith(b"HTTP/1.1 " + status)
    assert json.loads(received.partition(b"\r\n\r\n")[2]).keys() == {"error", "code", "details", "request_id"}
    refused = [one for one in server.log()[before:] if "refused" in one]
    assert [one["status"] for one in refused] == [int(status)]
    assert server.client.get("/healthz").status_code == 200


def test_clients_that_go_are_forgotten(server):
    server.raw(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n{", close=True)
    server.logged("request", status=499)
    server.raw(b"POST /v1/pre", close=True)
    assert server.predict("rats")["predictions"]


def test_slow_clients_are_let_go(served):
    with in_thread(served, timeout=0.3) as server:
        for slow in (
            b"",
            b"GET / HTT",
            b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
        ):
            received = server.raw(slow)
            assert received.startswith(b"HTTP/1.1 408 ")
            assert json.loads(received.partition(b"\r\n\r\n")[2])["code"] == "too_slow"
        assert len(server.logged("request", 3, status=408)) == 3
        with socket.create_connection(
            ("127.0.0.1", server.port)
        ) as connection:  # it may be slow between requests
            connection.settimeout(30)
            kept = http.client.HTTPConnection("127.0.0.1", server.port)
            kept.request("GET", "/healthz")
            assert kept.getresponse().read()
            kept.close()


def test_too_many_connections_are_told_to_come_again(served):
    with in_thread(served, connections=3) as server:
        idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(3)]
        received = server.raw(b"")
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ") and b"Retry-After: 1" in head
        assert json.loads(body)["code"] == "too_many_connections"
        server.logged("request", status=503, refused="too_many_connections")
        for connection in idle:
            connection.close()
        wait_for(lambda: server.client.get("/healthz").status_code == 200, "an answer")


def test_a_fault_of_ours_is_told_to_the_log_alone(served):
    def broken(queries, options):
        if any(query.text == "poison" for query in queries):
            raise RuntimeError("secret reason")
        return answer(queries, options)

    answer, served.answer = served.answer, broken
    with in_thread(served) as server:
        told = check_refusal(
            server.client.post(PREDICT, json={"inputs": ["poison"]}), 500, "its log says why"
        )
        assert "secret" not in str(told)
        (event,) = server.logged("request failed")
        assert "secret reason" in event["traceback"]
        assert server.predict("rats")["predictions"]
