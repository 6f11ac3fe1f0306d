"""Training curves that are measured in the rivals' Python."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from ..common.harness import Record
from ..common.processes import run_job


def torch_curve(python: str, job: Record) -> Record:
    """Run ``torch_curve.py`` in another Python; return its measurements, or its error."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "job.json"
        status = run_job(python, "rivals.torch_curve", job, path, job["threads"])
        if status:
            return {"error": f"ended with status {status}"}
        return json.loads(path.with_suffix(".result").read_text())
