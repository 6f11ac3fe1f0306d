"""`make fuzz`, in short: what once failed, and a few seconds of new damage to every kind of file."""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "tools" / "fuzz.py"


def test_damaged_files_are_read_or_refused():
    command = [sys.executable, str(TOOL), "--seconds", "5", "--seed", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no failures" in done.stdout
