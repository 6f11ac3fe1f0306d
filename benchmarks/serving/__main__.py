"""What a server costs beside one that does nothing, under too much load, in memory, and at reloads.

    python -m benchmarks.serving --part rate overload memory reload

It needs wrk. All load comes from this machine, is bounded, and ends by itself.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np

from hashslide import SlideClassifier
from hashslide.data import builtin

from .servers import Server, load, proportional_bytes, replace, serving, serving_nothing

CONNECTIONS = 64
N_TEXTS = 200


def texts(n: int) -> list[str]:
    """Return the words of test abstracts."""
    mesh = builtin("pubmed-mesh")
    rows = (mesh.X_test[i] for i in range(n))
    return [" ".join(mesh.feature_names[row.indices][np.argsort(-row.data)][:6]) for row in rows]


def train(path: Path, seed: int = 0, epochs: int | str = "auto") -> None:
    """Train on pubmed-mesh and save the model."""
    mesh = builtin("pubmed-mesh")
    model = SlideClassifier(epochs=epochs, random_state=seed)
    model.fit(mesh.X_train, mesh.Y_train, classes=mesh.label_names)
    model.feature_names_in_ = mesh.feature_names
    model.save(path, optimizer_state=False)


def body(*inputs: str, **options: object) -> str:
    """Return the body of a request."""
    return json.dumps({"inputs": inputs, **options})


def rate(folder: Path, model: Path, rounds: int, seconds: int) -> None:
    """Compare one-row requests with an endpoint that does nothing."""
    bodies = [body(text) for text in texts(N_TEXTS)]
    with serving(folder, model, "-j", 1) as ours, serving_nothing(folder) as nothing:
        peaks: dict[str, list[float]] = {"hashslide": [], "nothing": []}
        tails: dict[str, list[float]] = {"hashslide": [], "nothing": []}
        for server in (ours, nothing):
            load(server, bodies, CONNECTIONS, 1)
        for _ in range(rounds):
            for name, server in (("nothing", nothing), ("hashslide", ours)):
                peaks[name].append(load(server, bodies, CONNECTIONS, seconds).good)
        for _ in range(rounds):
            for name, server in (("nothing", nothing), ("hashslide", ours)):
                half = median(peaks[name]) / 2
                tails[name].append(load(server, bodies, CONNECTIONS, seconds, half).p99)
    print("| | requests/s | p99 at half load, ms |")
    print("| --- | --: | --: |")
    for name in peaks:
        print(f"| {name} | {median(peaks[name]):,.0f} | {median(tails[name]):.2f} |")
    ratios = [mine / theirs for mine, theirs in zip(peaks["hashslide"], peaks["nothing"], strict=True)]
    tail = median(mine / theirs for mine, theirs in zip(tails["hashslide"], tails["nothing"], strict=True))
    print(f"| ratio | {median(ratios):.2f} | {tail:.1f} |")


def overload(folder: Path, model: Path, seconds: int) -> None:
    """Offer twice of what the server can do, in requests of 32 inputs."""
    words = texts(64)
    bodies = [body(*words[i : i + 32]) for i in range(32)]
    with serving(folder, model, "--queue", 256, "-q") as server:
        load(server, bodies, 6, 2)
        peak = load(server, bodies, 6, 10).good
        before = {status: server.count(status) for status in (200, 503)}
        found = load(server, bodies, 64, seconds, 2.3 * peak)  # an answer takes time, too
        answered = {status: server.count(status) - before[status] for status in before}
        all_others = sum(1 for line in server.get("/metrics").splitlines() if _is_other(line))
    offered = found.good + found.refused
    print(
        f"peak {peak:.0f} requests/s; offered {offered:.0f}/s for {seconds} s, {offered / peak:.1f} x as many"
    )
    print(f"answered {found.good:.0f}/s, {found.good / peak:.2f} of the peak; 503 {answered[503]:.0f} times")
    print(f"other statuses: {all_others}; p99 of all answers {found.p99:.0f} ms")


def _is_other(line: str) -> bool:
    of_predictions = line.startswith('hashslide_requests_total{route="/v1/predict"')
    return of_predictions and 'status="200"' not in line and 'status="503"' not in line


def memory(folder: Path, workers: int, n_labels: int, width: int) -> None:
    """Compare the memory of several workers with that of one model and of as many workers without one."""
    used: dict[tuple[str, int], int] = {}
    for name, labels in (("nearly none", 10), ("large", n_labels)):
        path = folder / f"{name}.hashslide"
        model = SlideClassifier(
            hidden=width, epochs=1, precision="float32", ranker=False, approximate=False, random_state=0
        )
        rng = np.random.default_rng(0)
        y = rng.choice(labels, 10, replace=False)
        model.fit(np.eye(10, dtype=np.float32), y, classes=np.arange(labels))
        model.save(path, optimizer_state=False)
        del model
        for n in (1, workers):
            with serving(folder, path, "--workers", n, "-j", 1, "-q") as server:
                load(
                    server,
                    [json.dumps({"inputs": [{"features": {"1": 1}}] * 8, "probabilities": False})],
                    16,
                    3,
                )
                used[name, n] = proportional_bytes(server.processes())
    of_model = used["large", 1] - used["nearly none", 1]
    allowed = of_model + used["nearly none", workers]
    print(f"one model ({n_labels:,} labels, {width} neurons) {of_model / 1e6:.0f} MB")
    with_it, without = (used[name, workers] / 1e6 for name in ("large", "nearly none"))
    print(f"{workers} workers with it {with_it:.0f} MB, without {without:.0f} MB")
    print(f"ratio to one model and {workers} workers without: {used['large', workers] / allowed:.2f}")


class Asker(threading.Thread):
    """Asks on one connection until it is stopped, and compares the answers with those of `predict_topk`."""

    def __init__(self, server: Server, expected: dict[str, dict[str, list[tuple[str, float]]]]):
        super().__init__()
        self.port = int(server.address.rpartition(":")[2])
        self.expected, self.asked, self.wrong, self.failed = expected, 0, 0, 0
        self.stopped = threading.Event()

    def run(self) -> None:
        """Ask."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        words = list(next(iter(self.expected.values())))
        while not self.stopped.is_set():
            text = words[self.asked % len(words)]
            self.asked += 1
            try:
                connection.request("POST", "/v1/predict", body(text), {"Content-Type": "application/json"})
                answer = json.load(connection.getresponse())
                found = [(one["label"], one["score"]) for one in answer["predictions"][0]["labels"]]
                self.wrong += found != self.expected[answer["version"]][text]
            except (OSError, KeyError, ValueError, http.client.HTTPException):
                self.failed += 1
                connection.close()


def reload(folder: Path, reloads: int, requests: int) -> None:
    """Replace the model again and again, once by a damaged file, while clients ask without a pause."""
    contents, expected = [], {}
    words = texts(50)
    for seed in (0, 1):
        path = folder / f"seed-{seed}.hashslide"
        train(path, seed, epochs=1)
        contents.append(path.read_bytes())
        with serving(folder, path, "-q") as server:
            version = json.loads(server.get("/v1/model"))["version"]
        expected[version] = answers_in_python(path, words)
    path = folder / "m.hashslide"
    replace(path, contents[0])
    with serving(folder, path, "--watch", "--workers", 2, "-j", 1, "-q") as server:
        askers = [Asker(server, expected) for _ in range(3)]
        for asker in askers:
            asker.start()
        loaded = 1
        for i in range(1, reloads + 1):
            if i == reloads // 2:
                replace(path, contents[0][:-100])
                await_event(server, "model refused", 1)
            replace(path, contents[i % 2])
            loaded += 1
            await_event(server, "model loaded", loaded)
        end = time.monotonic() + 300
        while sum(asker.asked for asker in askers) < requests and time.monotonic() < end:
            time.sleep(0.1)
        for asker in askers:
            asker.stopped.set()
        for asker in askers:
            asker.join()
    asked, failed, wrong = (
        sum(getattr(asker, what) for asker in askers) for what in ("asked", "failed", "wrong")
    )
    print(f"{loaded - 1} reloads and a damaged file during {asked:,} requests")
    print(f"{failed} requests failed, {wrong} answers differed from predict_topk")


def answers_in_python(path: Path, words: list[str]) -> dict[str, list[tuple[str, float]]]:
    """Return what `predict_topk` says to texts of words of weight 1."""
    model = SlideClassifier.load(path)
    ids = {name: i for i, name in enumerate(model.feature_names_in_)}
    del model.feature_names_in_
    found = {}
    for text in words:
        row = np.zeros((1, model.n_features_in_), np.float32)
        names = text.split()
        row[0, [ids[name] for name in names]] = np.float32(1) / np.float32(len(names) ** 0.5)
        labels, scores = model.predict_topk(row, k=5, probabilities=True)
        found[text] = list(zip(labels[0].tolist(), scores[0].tolist(), strict=True))
    return found


def await_event(server: Server, event: str, n: int) -> None:
    """Wait until the log has so many lines of an event."""
    end = time.monotonic() + 60
    while server.log.read_text().count(f'"event": "{event}"') < n:
        if time.monotonic() > end:
            raise RuntimeError(f"waited in vain for {event}")
        time.sleep(0.02)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parts = ["rate", "overload", "memory", "reload"]
    parser.add_argument("--part", nargs="+", choices=parts, default=parts)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each round")
    parser.add_argument("--overload-seconds", type=int, default=30)
    parser.add_argument("--labels", type=int, default=300_000, help="of the model whose memory is measured")
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--reloads", type=int, default=50)
    parser.add_argument("--requests", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "mesh.hashslide"
        if {"rate", "overload"} & set(arguments.part):
            train(model)
        if "rate" in arguments.part:
            rate(folder, model, arguments.rounds, arguments.seconds)
        if "overload" in arguments.part:
            overload(folder, model, arguments.overload_seconds)
        if "memory" in arguments.part:
            memory(folder, arguments.workers, arguments.labels, arguments.hidden)
        if "reload" in arguments.part:
            reload(folder, arguments.reloads, arguments.requests)


if __name__ == "__main__":
    main()
