"""One method, one data set, one run, in this process alone: ``python -m benchmarks.rivals`` starts it.

Reads a job (JSON) from the file named on the command line and writes the measurements and the predictions
beside it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..common.matrices import load_matrices
from ..common.processes import peak_mb
from .methods import Options, load_method, predict_allowed

TOP_K = 5


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float, float]:
    """Return the function's result, its wall seconds and its CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, time.perf_counter() - wall, time.process_time() - cpu


def measure(job: dict[str, Any]) -> tuple[dict[str, float], np.ndarray]:
    """Load, train and predict; return the measurements and the predicted labels."""
    method, options, folder = load_method(job["method"]), Options(**job["options"]), Path(job["folder"])
    data = method.load(folder, options)
    loaded_mb = peak_mb()
    model, train_s, train_cpu_s = timed(method.fit, data, options)
    train_mb = peak_mb()
    model = method.freeze(model, options)
    X_test, _ = load_matrices(folder, "test")
    topk, predict_s, predict_cpu_s = timed(predict_allowed, method, model, X_test, TOP_K, options)
    measured = {
        "train_s": train_s,
        "train_cpu_s": train_cpu_s,
        "predict_s": predict_s,
        "predict_cpu_s": predict_cpu_s,
        "loaded_mb": loaded_mb,
        "train_mb": train_mb,
        "peak_mb": peak_mb(),
    }
    return measured, topk


def main() -> None:
    """Run the job named on the command line."""
    job_path = Path(sys.argv[1])
    measured, topk = measure(json.loads(job_path.read_text()))
    np.save(job_path.with_suffix(".npy"), topk)
    job_path.with_suffix(".result").write_text(json.dumps(measured))


if __name__ == "__main__":
    main()
