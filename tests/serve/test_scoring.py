"""The queue: what waits is scored together, what is too much is refused, each fault is its own."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import in_thread, wait_for


@pytest.fixture
def gate(served):
    """Holds the scorer before each batch until it is opened; tells the sizes of the batches."""
    answer, opened = served.answer, threading.Event()
    opened.sizes, opened.entered = [], threading.Event()

    def gated(queries, options):
        opened.sizes.append(len(queries))
        opened.entered.set()
        assert opened.wait(60)
        return answer(queries, options)

    served.answer = gated
    return opened


def waiting(server):
    return server.app.service.scorer.n_waiting


def fill(server, threads, gate, n):
    """Let one request be scored and n more wait."""

    def ask():
        return threads.submit(server.client.post, "/v1/predict", json={"inputs": ["rats"]})

    asked = [ask()]
    assert gate.entered.wait(60)
    asked += [ask() for _ in range(n)]
    wait_for(lambda: waiting(server) == n + 1, "the queue")
    return asked


def test_what_waits_is_scored_together(served, gate):
    with in_thread(served, max_batch=8) as server, ThreadPoolExecutor(16) as threads:
        asked = [threads.submit(server.predict, "rats")]
        assert gate.entered.wait(60)
        asked += [threads.submit(server.predict, "rats") for _ in range(10)]
        wait_for(lambda: waiting(server) == 11, "the queue")
        gate.set()
        answers = [one.result()["predictions"] for one in asked]
    assert gate.sizes == [1, 8, 2]
    assert all(one == answers[0] for one in answers)


def test_a_full_queue_refuses_and_recovers(served, gate):
    with in_thread(served, max_inputs=4, queue=4) as server, ThreadPoolExecutor(16) as threads:
        asked = fill(server, threads, gate, 3)
        for refused in (
            server.client.post("/v1/predict", json={"inputs": ["rats"]}),
            server.client.get("/v1/search?q=rats"),
            server.client.post(
                "/v2/models/mesh/infer",
                json={"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["rats"]}]},
            ),
        ):
            assert refused.status_code == 503 and refused.json()["code"] == "overloaded"
            assert int(refused.headers["retry-after"]) >= 1
        assert server.client.get("/healthz").status_code == 200
        gate.set()
        assert [one.result().status_code for one in asked] == [200] * 4
        assert server.predict("rats", "mice", "insulin", "men")["predictions"]
        assert waiting(server) == 0


def test_a_request_that_needs_more_room_than_there_is_is_refused(served, gate):
    with in_thread(served, max_inputs=4, queue=4) as server, ThreadPoolExecutor(4) as threads:
        asked = fill(server, threads, gate, 1)
        assert server.client.post("/v1/predict", json={"inputs": ["rats"] * 3}).status_code == 503
        gate.set()
        assert [one.result().status_code for one in asked] == [200] * 2


def test_who_waits_too_long_is_told_so_and_not_scored(served, gate):
    with in_thread(served, timeout=0.3) as server, ThreadPoolExecutor(4) as threads:
        asked = fill(server, threads, gate, 2)
        answers = [one.result() for one in asked]
        assert [one.status_code for one in answers] == [503] * 3
        gate.set()
        assert server.predict("rats")["predictions"]
    assert gate.sizes == [1, 1]  # the first and the last, and none that nobody waited for any more


def test_different_wishes_in_one_batch(served, gate):
    with in_thread(served) as server, ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(server.predict, "rats", k=1)]
        assert gate.entered.wait(60)
        wishes = [{"k": 2}, {"k": 3, "probabilities": False}, {"k": 2, "approximate": False}, {"k": 2}]
        asked += [threads.submit(server.predict, "rats", **wish) for wish in wishes]
        wait_for(lambda: waiting(server) == 5, "the queue")
        gate.set()
        answers = [one.result()["predictions"] for one in asked[1:]]
        alone = [server.predict("rats", **wish)["predictions"] for wish in wishes]
    assert answers == alone


def test_one_that_fails_takes_no_other_with_it(served):
    answer, entered, opened = served.answer, threading.Event(), threading.Event()

    def fragile(queries, options):
        entered.set()
        assert opened.wait(60)
        if any(query.text == "poison" for query in queries):
            raise RuntimeError("it cannot be")
        return answer(queries, options)

    served.answer = fragile
    with in_thread(served) as server, ThreadPoolExecutor(8) as threads:
        texts = ["rats", "mice", "poison", "insulin"]
        asked = [threads.submit(server.client.post, "/v1/predict", json={"inputs": [text]}) for text in texts]
        wait_for(lambda: waiting(server) == 4, "the queue")
        opened.set()
        assert [one.result().status_code for one in asked] == [200, 200, 500, 200]


def test_closing_answers_what_waits(served, gate):
    with ThreadPoolExecutor(8) as threads, in_thread(served) as server:
        asked = fill(server, threads, gate, 3)
        threading.Timer(0.3, gate.set).start()
    assert [one.result().status_code for one in asked] == [200] * 4
