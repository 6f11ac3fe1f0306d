"""Workers, reloads and the end: ``hashslide serve`` as it runs."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from serving import Process, process, replace, wait_for

from hashslide import SlideClassifier


def test_workers_share_one_port_and_one_count(two_workers):
    assert len(two_workers.workers()) == 2
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda i: two_workers.predict("rats", k=1 + i % 3), range(60)))
    assert {len(one["predictions"][0]["labels"]) for one in answers} == {1, 2, 3}

    def counted():
        lines = two_workers.client.get("/metrics").text.splitlines()
        return 'hashslide_requests_total{route="/v1/predict",status="200"} 60.0' in lines

    wait_for(counted, "the counts of both workers")


def test_a_worker_that_dies_is_replaced_and_its_counts_stay(model_file, tmp_path):
    with process(tmp_path, model_file, "-j", 1) as server:
        for _ in range(5):
            server.predict("rats")
        (first,) = server.workers()
        os.kill(first, signal.SIGKILL)
        (event,) = server.logged("worker ended", pid=first)
        assert event["exit_code"] == -signal.SIGKILL
        wait_for(lambda: server.workers() not in ([], [first]), "another worker")
        server.client.close()
        server.client = type(server.client)(base_url=server.address, timeout=60)
        server.predict("rats")
        total = 'hashslide_requests_total{route="/v1/predict",status="200"} 6.0'
        assert total in server.client.get("/metrics").text.splitlines()
        assert server.stop() == 0


def test_workers_share_the_memory_of_the_model(tmp_path):
    """Four processes with one model take little more than one; the 8-bit copies are shared, too."""
    n_labels, width = 160_000, 256
    model = SlideClassifier(
        hidden=width, epochs=1, precision="float32", ranker=False, n_jobs=1, random_state=0
    )
    X = np.eye(50, dtype=np.float32)
    model.fit(X, np.arange(50) * (n_labels // 50), classes=np.arange(n_labels))
    model.save(tmp_path / "m.hashslide", optimizer_state=False)
    with process(tmp_path, tmp_path / "m.hashslide", "--workers", 4, "-j", 1) as server:
        with ThreadPoolExecutor(8) as threads:
            list(
                threads.map(
                    lambda i: server.predict(*["1:1"] * 8, probabilities=False, approximate=False), range(40)
                )
            )
        own = {pid: private_bytes(pid) for pid in server.workers()}
    of_copies = n_labels * (width + 20)  # and the weights take four times as much
    assert len(own) == 4
    assert max(own.values()) < of_copies, own


def private_bytes(pid: int) -> int:
    """Memory that is in no other process."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Private_"))


class Askers:
    """Clients that ask without a pause on connections that they keep, and note what goes wrong."""

    def __init__(self, server: Process, n: int, expected: dict[str, list]):
        self.port, self.expected = server.port, expected
        self.answers, self.faults, self.versions = 0, [], set()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(n)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def await_version(self, version: str):
        """Wait until a model answers."""
        self.versions.clear()
        wait_for(lambda: version in self.versions, f"an answer of {version}")

    def _ask(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self._stop.is_set():
            try:
                connection.request("POST", "/v1/predict", b'{"inputs": ["rats insulin"]}')
                response = connection.getresponse()
                body = response.read()
                answer = json.loads(body)
                if (
                    response.status != 200
                    or answer["predictions"][0]["labels"] != self.expected[answer["version"]]
                ):
                    self.faults.append((response.status, body))
                self.versions.add(answer["version"])
                self.answers += 1
            except (OSError, http.client.HTTPException) as error:
                self.faults.append(repr(error))
                connection.close()
        connection.close()


def test_models_are_replaced_while_requests_go_on(model_file, other_file, tmp_path):
    from hashslide.serve._models import Options, ServedModel, Text

    expected, files = {}, [model_file.read_bytes(), other_file.read_bytes()]
    for file in (model_file, other_file):
        model = ServedModel.load(file, jobs=1)
        expected[model.version] = model.answer([Text("rats insulin")], Options())[0].labels
    path = tmp_path / "m.hashslide"
    replace(path, files[0])
    with process(tmp_path, path, "--watch", "--workers", 2, "-j", 1, "-q") as server:
        with Askers(server, 3, expected) as askers:
            for i in range(1, 5):
                replace(path, files[i % 2])
                server.logged("model loaded", i + 1)
                askers.await_version(list(expected)[i % 2])
            replace(path, files[1][:-1000])
            (refused,) = server.logged("model refused")
            assert "truncated" in refused["error"]
            time.sleep(0.6)
            damaged = bytearray(files[1])
            damaged[-5000] ^= 1
            replace(path, bytes(damaged))
            assert "checksum" in server.logged("model refused", 2)[1]["error"]
            path.unlink()
            time.sleep(0.6)
            replace(path, files[1])
            server.logged("model loaded", 6)
            wait_for(lambda: len(server.workers()) == 2, "the old workers to leave")
        assert not askers.faults and askers.answers > 50
        assert len(server.log("model refused")) == 2 and len(server.log("model loaded")) == 6
        text = server.client.get("/metrics").text
        assert 'hashslide_reloads_total{result="loaded"} 5.0' in text
        assert 'hashslide_reloads_total{result="refused"} 2.0' in text
        replace(path, files[0])
        server.process.send_signal(signal.SIGHUP)
        server.logged("model loaded", 7)
        assert server.stop() == 0


def test_the_end_answers_what_was_asked(model_file, tmp_path):
    with process(tmp_path, model_file, "-j", 1, "--max-batch", 1) as server, ThreadPoolExecutor(8) as threads:
        inputs = [f"rats insulin mice {i}" for i in range(100)]
        asked = [
            threads.submit(server.predict, *inputs, k=100, approximate=False, explain=50) for _ in range(8)
        ]
        metric = "hashslide_batch_inputs_count"
        wait_for(lambda: metric_of(server, metric) > 0, "the first answer")
        server.process.send_signal(signal.SIGTERM)
        assert all(len(one.result()["predictions"]) == 100 for one in asked)
        assert server.process.wait(60) == 0
        assert server.log()[-1]["event"] == "stopped"


def metric_of(server, name: str) -> float:
    lines = server.client.get("/metrics").text.splitlines()
    return max((float(line.split()[1]) for line in lines if line.startswith(name + " ")), default=0)


def test_ctrl_c_ends_all_processes(model_file, tmp_path):
    with process(tmp_path, model_file, "--workers", 2) as server:
        workers = server.workers()
        assert server.stop(signal.SIGINT) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert "Traceback" not in str(server.log())


def test_workers_end_with_their_supervisor(model_file, tmp_path):
    with process(tmp_path, model_file, "--workers", 2) as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait()
        wait_for(lambda: not any(alive(pid) for pid in workers), "the end of the workers")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_thread_cannot_run_a_server(model_file):
    import hashslide.serve
    from hashslide.errors import InputError

    with ThreadPoolExecutor(1) as threads, pytest.raises(InputError, match="only the main thread"):
        threads.submit(hashslide.serve.run, model_file).result()


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_an_address_that_cannot_be_had_is_refused(model_file, host):
    import hashslide.serve
    from hashslide.errors import InputError

    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = hashslide.serve.ServerSettings(host=host, port=taken.getsockname()[1])
        with pytest.raises(InputError, match="cannot listen on"):
            hashslide.serve.run(model_file, settings)
