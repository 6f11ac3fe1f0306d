"""`make kill`, in short."""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "tools" / "kill.py"


def test_killed_processes_leave_whole_files_and_nothing_else():
    command = [sys.executable, str(TOOL), "--rounds", "12", "--trainings", "4", "--seed", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "12 processes killed" in done.stdout and "4 trainings killed" in done.stdout
