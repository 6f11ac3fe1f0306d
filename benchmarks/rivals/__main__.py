"""Train every method on every data set, side by side in one run, and print one table.

    python -m benchmarks.rivals --data DIR --data DIR --runs 3 --threads 2 --out results.json

Every training happens in a process of its own, so that its peak memory is its own. The methods take turns
(run 1 of all, run 2 of all, ...), so that what else the machine does hits all of them alike; the table holds
medians. benchmarks/README.md says what is timed. On a recommendation task, whose features and labels are the
same items, further methods take part, and no method predicts an item that it was given.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..common import accuracy
from ..common.harness import say
from ..common.matrices import load_matrices, load_xmc, part_file, save_matrices, save_text
from ..common.processes import machine, run_job
from .methods import METHODS, Options, Traits
from .table import BASELINE, Result, Results, markdown


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.rivals", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    default = ",".join(name for name, method in METHODS.items() if method.by_default)
    parser.add_argument(
        "--data", action="append", required=True, type=Path, help="folder of train.txt and test.txt (or .gz)"
    )
    parser.add_argument(
        "--methods",
        default=default,
        help=f"comma-separated, of {', '.join(METHODS)};\ndefault: %(default)s",
    )
    parser.add_argument("--rows", type=int, help="train on so many random rows only")
    parser.add_argument(
        "--validation",
        action="store_true",
        help="measure on a random tenth of the training rows; the test part is not read",
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch-epochs", type=int, default=4)
    parser.add_argument("--limit", type=float, help="end a run after so many seconds; it counts as failed")
    parser.add_argument("--rival-python", default=sys.executable, help="Python that has the rivals installed")
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    arguments = parser.parse_args()
    arguments.methods = arguments.methods.split(",")
    for name in arguments.methods:
        if name not in METHODS:
            parser.error(f"unknown method {name!r}: choose among {', '.join(METHODS)}")
    return arguments


def interpreter(method: str, rival_python: str) -> str:
    """Return the Python that runs `method`: hashslide runs in this one."""
    return sys.executable if method == BASELINE else rival_python


def installed(methods: list[str], rival_python: str) -> list[str]:
    """Return the methods whose package can be imported; say which cannot."""
    return [name for name in methods if is_installed(name, interpreter(name, rival_python))]


def is_installed(method: str, python: str) -> bool:
    """Return whether `python` can import what `method` needs; if not, say so."""
    package = METHODS[method].package
    probe = subprocess.run([python, "-c", f"import {package}"], capture_output=True, text=True, check=False)
    if probe.returncode:
        reason = (probe.stderr.strip().splitlines() or ["no message"])[-1]
        say(f"{method}: left out, {python} cannot import {package}: {reason}")
    return probe.returncode == 0


def prepare(data: Path, folder: Path, rows: int | None, validation: bool) -> Traits:
    """Read a data set's text once, so that no run's memory or time holds a text reader.

    Parameters
    ----------
    data
        The data set's folder.
    folder
        Is made and gets what the runs read.
    rows
        How many training rows are kept, drawn at random; None: all.
    validation
        Whether a tenth of the training rows, drawn at random, is the test part.

    Returns
    -------
    Traits
        What decides which methods take part.
    """
    folder.mkdir()
    source = part_file(data, "train")
    X, Y = load_xmc(source)
    order = np.random.default_rng(0).permutation(X.shape[0])
    if validation:
        held_out, order = np.sort(order[: len(order) // 10]), order[len(order) // 10 :]
        save_matrices(X[held_out], Y[held_out], folder, "test")
    else:
        save_matrices(*load_xmc(part_file(data, "test")), folder, "test")
    kept = np.sort(order[:rows])
    save_matrices(X[kept], Y[kept], folder, "train")
    save_text(source, folder, kept)
    return Traits.of(X[kept], Y[kept])


def run_once(method: str, folder: Path, python: str, options: Options, limit: float | None) -> Result:
    """Train and predict once in a fresh process; return its measurements and accuracy, or its error."""
    path, log = folder / "job.json", folder / "log.txt"
    job = {"method": method, "folder": str(folder), "options": asdict(options)}
    load = os.getloadavg()[0]
    with open(log, "wb") as output:
        try:
            status = run_job(python, "rivals.one_run", job, path, options.threads, output, limit)
        except subprocess.TimeoutExpired:
            return {"error": f"took more than {limit:g} s", "load": load}
    if status:
        return {"error": last_line(log) or f"ended with status {status}", "load": load}
    measured = json.loads(path.with_suffix(".result").read_text())
    return measured | figures(folder, np.load(path.with_suffix(".npy"))) | {"load": load}


def last_line(log: Path) -> str:
    """Return the last line that a failed process wrote."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def figures(folder: Path, topk: np.ndarray) -> dict[str, float]:
    """Return the accuracy of the predicted labels."""
    return accuracy.figures(load_matrices(folder, "test")[1], topk, load_matrices(folder, "train")[1])


def run_all(arguments: argparse.Namespace, methods: list[str], scratch: Path) -> Results:
    """Return the results of every run, which are written to the file asked for as they come."""
    folders = {data.name: scratch / data.name for data in arguments.data}
    traits = {
        data.name: prepare(data, folders[data.name], arguments.rows, arguments.validation)
        for data in arguments.data
    }
    results = {data: suited(methods, data, traits[data]) for data in folders}
    for run in range(arguments.runs):
        for data, folder in folders.items():
            options = Options(arguments.threads, run, arguments.torch_epochs, traits[data].are_items)
            for method in results[data]:
                python = interpreter(method, arguments.rival_python)
                result = run_once(method, folder, python, options, arguments.limit)
                results[data][method].append(result)
                say(progress(run, data, method, result))
                write(arguments, results)
    return results


def suited(methods: list[str], data: str, traits: Traits) -> dict[str, list[Result]]:
    """Return the methods that make sense on a data set, without results yet; say which do not."""
    reasons = {method: METHODS[method].reason_against(traits) for method in methods}
    for method, reason in reasons.items():
        if reason:
            say(f"{method}: left out of {data}, {reason}")
    return {method: [] for method, reason in reasons.items() if not reason}


def progress(run: int, data: str, method: str, result: Result) -> str:
    """Return one line about a finished run."""
    if "error" in result:
        outcome = f"failed: {result['error']}"
    else:
        outcome = f"{result['train_s']:.1f} s, P@1 {result['P@1']:.3f}"
    return f"run {run + 1}  {data}  {method}: {outcome}"


def write(arguments: argparse.Namespace, results: Results) -> None:
    """Write the results so far, if a file is asked for."""
    if arguments.out:
        keys = ("rows", "validation", "runs", "threads", "torch_epochs", "limit")
        settings = {key: getattr(arguments, key) for key in keys}
        report = {"machine": machine(), "settings": settings, "results": results}
        arguments.out.write_text(json.dumps(report, indent=1) + "\n")


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    methods = installed(arguments.methods, arguments.rival_python)
    if not methods:
        sys.exit("none of the methods is installed")
    with tempfile.TemporaryDirectory() as scratch:
        print(markdown(run_all(arguments, methods, Path(scratch))))


if __name__ == "__main__":
    main()
