"""Train every method on every data set, side by side in one run, and print one table.

    python -m benchmarks.rivals --data DIR --data DIR --runs 3 --threads 2 --out results.json

Every training happens in a process of its own, so that its peak memory is its own. The methods take turns
(run 1 of all, run 2 of all, ...), so that what else the machine does hits all of them alike; the table holds
medians. benchmarks/README.md says what is timed.
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
from typing import Any

import numpy as np

from ..common import accuracy
from ..common.matrices import SPLITS, load_matrices, load_xmc, save_matrices, save_text
from ..common.processes import machine, run_job
from .methods import METHODS, Options

Result = dict[str, Any]

BASELINE = "hashslide"
FIGURES = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@1", "PSP@3", "PSP@5")


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.rivals", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data", action="append", required=True, type=Path, help="folder of train.txt.gz, test.txt.gz"
    )
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated; default: %(default)s")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--torch-epochs", type=int, default=4)
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
        print(f"{method}: left out, {python} cannot import {package}: {reason}", file=sys.stderr)
    return probe.returncode == 0


def convert(data: Path, folder: Path) -> None:
    """Read a data set's text once, so that no run's memory or time holds a text reader."""
    folder.mkdir()
    for split in SPLITS:
        save_matrices(*load_xmc(data / f"{split}.txt.gz"), folder, split)
    save_text(data / "train.txt.gz", folder)


def run_once(method: str, folder: Path, python: str, options: Options) -> Result:
    """Train and predict once in a fresh process; return its measurements and accuracy, or its error."""
    path, log = folder / "job.json", folder / "log.txt"
    job = {"method": method, "folder": str(folder), "options": asdict(options)}
    load = os.getloadavg()[0]
    with open(log, "wb") as output:
        status = run_job(python, "rivals.one_run", job, path, options.threads, output)
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


def run_all(arguments: argparse.Namespace, methods: list[str]) -> dict[str, dict[str, list[Result]]]:
    """Return the results of every run: data set -> method -> one result a run."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = {data.name: Path(scratch) / data.name for data in arguments.data}
        for data in arguments.data:
            convert(data, folders[data.name])
        results: dict[str, dict[str, list[Result]]] = {
            data: {method: [] for method in methods} for data in folders
        }
        for run in range(arguments.runs):
            options = Options(arguments.threads, run, arguments.torch_epochs)
            for data, folder in folders.items():
                for method in methods:
                    result = run_once(method, folder, interpreter(method, arguments.rival_python), options)
                    results[data][method].append(result)
                    print(progress(run, data, method, result), file=sys.stderr, flush=True)
    return results


def progress(run: int, data: str, method: str, result: Result) -> str:
    """Return one line about a finished run."""
    if "error" in result:
        outcome = f"failed: {result['error']}"
    else:
        outcome = f"{result['train_s']:.1f} s, P@1 {result['P@1']:.3f}"
    return f"run {run + 1}  {data}  {method}: {outcome}"


def medians(runs: list[Result]) -> Result | None:
    """Return the median of every number over the runs that succeeded, None if none did."""
    done = [run for run in runs if "error" not in run]
    if not done:
        return None
    return {key: float(np.median([run[key] for run in done])) for key in done[0]}


def table(results: dict[str, dict[str, list[Result]]]) -> str:
    """Return the medians as a Markdown table; a ratio is to hashslide's time."""
    head = ["data", "method", *FIGURES, "train s", "ratio", "predict s", "ratio", "train MB", "peak MB"]
    rows = [head, ["---"] * 2 + ["--:"] * (len(head) - 2)]
    for data, by_method in results.items():
        summary = {method: medians(runs) for method, runs in by_method.items()}
        rows += [
            table_row(data, METHODS[method].title, row, summary.get(BASELINE))
            for method, row in summary.items()
        ]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def table_row(data: str, title: str, row: Result | None, baseline: Result | None) -> list[str]:
    """Return one line of the table."""
    if row is None:
        return [data, title, "failed", *[""] * (len(FIGURES) + 5)]
    cells = [data, title] + [f"{row[figure]:.3f}"[1:] if row[figure] < 1 else "1" for figure in FIGURES]
    for key, digits in (("train_s", 1), ("predict_s", 2)):
        ratio = f"{row[key] / baseline[key]:.2f}" if baseline else ""
        cells += [f"{row[key]:.{digits}f}", ratio]
    return [*cells, f"{row['train_mb']:.0f}", f"{row['peak_mb']:.0f}"]


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    methods = installed(arguments.methods, arguments.rival_python)
    if not methods:
        sys.exit("none of the methods is installed")
    results = run_all(arguments, methods)
    print(table(results))
    if arguments.out:
        settings = {key: getattr(arguments, key) for key in ("threads", "runs", "torch_epochs")}
        report = {"machine": machine(), "settings": settings, "results": results}
        arguments.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
