"""Who may ask, and what is written about it."""

import contextlib

import pytest
from serving import in_thread
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from hashslide.errors import InputError
from hashslide.serve import ServerSettings, create_app, read_tokens

TOKEN, OTHER = "correct-horse-battery", "another-token-of-8"


@pytest.fixture
def guarded(served):
    with in_thread(served, tokens=(TOKEN, OTHER)) as server:
        yield server


def test_only_who_has_a_token_gets_an_answer(guarded):
    for path in ("/v1/search?q=rats", "/v1/model", "/metrics", "/v2/models/mesh", "/v1/predict"):
        for header in ({}, {"Authorization": "Bearer wrong-token"}, {"Authorization": TOKEN}):
            refused = guarded.client.get(path, headers=header)
            assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
            assert refused.json()["code"] == "unauthorized"
        for token in (TOKEN, OTHER):
            assert guarded.client.get(path, headers={"Authorization": f"Bearer {token}"}).status_code in (
                200,
                405,
            )


@pytest.mark.parametrize("path", ["/", "/docs", "/static/style.css", "/openapi.json", "/healthz", "/readyz"])
def test_what_needs_no_token(guarded, path):
    assert guarded.client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8080", 200),
        ("[::1]:80", 200),
        ("shop.example", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ],
)
def test_without_a_token_only_names_of_this_machine_lead_here(served, host, status):
    with in_thread(served, hosts=("Shop.Example",)) as server:
        for path in ("/healthz", "/v1/search?q=rats"):
            answer = server.client.get(path, headers={"Host": host})
            assert answer.status_code == status
            assert status == 200 or answer.json()["code"] == "wrong_host"


def test_with_a_token_any_name_may_lead_here(guarded):
    assert guarded.client.get("/healthz", headers={"Host": "evil.example"}).status_code == 200


def test_the_log_tells_neither_tokens_nor_queries(guarded):
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Request-Id": "of-the-client"}
    guarded.client.get("/v1/search?q=privately", headers=headers)
    guarded.client.post("/v1/predict", json={"inputs": ["privately"]}, headers=headers)
    events = guarded.logged("request", 2, id="of-the-client", status=200)
    assert [one["path"] for one in events] == ["/v1/search", "/v1/predict"]
    assert events[1].keys() >= {"time", "level", "client", "method", "ms", "bytes_in", "bytes_out", "inputs"}
    assert "privately" not in str(guarded.log()) and TOKEN not in str(guarded.log())


def test_queries_are_logged_on_request(served):
    with in_thread(served, log_queries=True) as server:
        server.predict("rats", {"names": {"mice": 1}})
        assert server.logged("request")[0]["queries"] == ["rats", {"mice": 1}]


def test_requests_need_not_be_logged(served):
    with in_thread(served, log_requests=False) as server:
        server.predict("rats")
    assert server.log() == []


def test_a_file_of_tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"# of the shop\n{TOKEN}\n\n  {OTHER}\n")
    assert read_tokens(path) == (TOKEN, OTHER)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"# none\n", "has no token"),
        (b"good-token\nshort\n", "line 2: this is not"),
        (b"\xff\xff", "not text"),
    ],
)
def test_a_bad_file_of_tokens_is_refused(tmp_path, content, words):
    path = tmp_path / "tokens"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as refused:
        read_tokens(path)
    assert "good-token" not in str(refused.value) and "short" not in str(refused.value)


def test_a_missing_file_of_tokens_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_tokens(tmp_path / "none")


@pytest.mark.parametrize(
    "bad",
    [
        {"port": -1},
        {"workers": 0},
        {"queue": 10},
        {"timeout": 0},
        {"max_k": "5"},
        {"tokens": ("a b c d e f",)},
    ],
    ids=str,
)
def test_bad_settings_are_refused(bad):
    with pytest.raises(InputError, match="accepted"):
        ServerSettings(**bad)


def test_clients_are_asked_to_leave_when_the_server_closes(served):
    with in_thread(served) as server:
        assert "connection" not in server.client.get("/healthz").headers
        server.app.service.is_closing = True
        assert server.client.get("/healthz").headers["connection"] == "close"
        assert server.client.get("/readyz").status_code == 503


def test_metrics_count_what_happened(served):
    with in_thread(served) as server:
        for _ in range(3):
            server.predict("rats", "mice")
        server.client.get("/nothing")
        lines = server.client.get("/metrics").text.splitlines()
    assert 'hashslide_requests_total{route="/v1/predict",status="200"} 3.0' in lines
    assert 'hashslide_requests_total{route="other",status="404"} 1.0' in lines
    assert "hashslide_batch_inputs_sum 6.0" in lines
    assert "hashslide_waiting_inputs 0.0" in lines


@pytest.mark.parametrize("place", ["", "/shop"])
def test_tokens_are_wanted_wherever_the_application_is_mounted(model_file, place):
    """Below the root the addresses that ASGI tells are longer than those of the routes."""
    inner = create_app(model_file, ServerSettings(tokens=(TOKEN,), jobs=1))

    @contextlib.asynccontextmanager
    async def lifespan(app):
        async with inner.router.lifespan_context(inner):
            yield

    app = Starlette(routes=[Mount(place, app=inner)], lifespan=lifespan) if place else inner
    with TestClient(app, base_url="http://localhost") as client:
        for path in ("/v1/search?q=rats", "/v1/model", "/metrics", "/v2/models/mesh"):
            assert client.get(place + path).status_code == 401
            answer = client.get(place + path, headers={"Authorization": f"Bearer {TOKEN}"})
            assert answer.status_code == 200
        answer = client.post(
            f"{place}/v1/predict", json={"inputs": ["rats"]}, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        assert answer.json()["predictions"][0]["labels"]
