"""The commands of the benchmarks' README start, and no other command is there."""

import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"

JOBS = (  # other commands start these
    "benchmarks.machines.ranks",
    "benchmarks.rivals.one_run",
    "benchmarks.rivals.text_fasttext",
    "benchmarks.rivals.torch_curve",
)


def modules_with_a_command() -> set[str]:
    """Every module that runs as a command."""
    found = set()
    for path in FOLDER.rglob("*.py"):
        if 'if __name__ == "__main__"' in path.read_text():
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.add(".".join(part for part in parts if part != "__main__"))
    return found


COMMANDS = sorted(modules_with_a_command() - set(JOBS))


def test_the_readme_names_every_command():
    named = re.findall(
        r"^\| `python -m (benchmarks[\w.]+)`", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    assert sorted(named) == COMMANDS


def test_pages_name_only_commands_that_exist():
    pages = [*(ROOT / "docs").rglob("*.md"), FOLDER / "README.md", *FOLDER.rglob("*.py")]
    named = {
        name for page in pages for name in re.findall(r"python -m (benchmarks[\w.]*\w)", page.read_text())
    }
    assert named
    assert named <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_takes(command, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [command, "--help"])
    monkeypatch.delitem(sys.modules, command, raising=False)  # other tests import it
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(command, run_name="__main__", alter_sys=True)
    assert not ended.value.code
    assert "usage:" in capsys.readouterr().out
