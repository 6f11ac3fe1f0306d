"""What is imported when, counted in processes of their own."""

import json
import subprocess
import sys

import pytest

import hashslide

HEAVY = {"numpy", "scipy", "sklearn", "pandas", "pyarrow", "matplotlib", "rich", "typer", "safetensors"}
REPORT = "; import json, sys; print(json.dumps(sorted(m for m in sys.modules if '.' not in m)))"


def imported_by(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


def imported_by_command(*arguments: str) -> set[str]:
    run = f"from hashslide.cli import app; app({arguments!r}, standalone_mode=False)"
    return imported_by(run + REPORT)


def test_the_package_imports_nothing_heavy():
    assert imported_by("import hashslide; hashslide.__version__; dir(hashslide)" + REPORT) == set()


@pytest.mark.parametrize("name", ["available_cpus", "build_info", "__version__", "errors"])
def test_light_names_stay_light(name):
    assert imported_by(f"import hashslide; hashslide.{name}" + REPORT) == set()


@pytest.mark.parametrize("module", ["data", "metrics", "network", "reference", "callbacks"])
def test_scikit_learn_is_for_the_classifier_only(module):
    assert imported_by(f"import hashslide.{module}" + REPORT) <= {"numpy", "scipy", "safetensors"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["data", "--help"]], ids=" ".join)
def test_help_imports_only_what_prints(arguments):
    assert imported_by_command(*arguments) <= {"typer", "rich"}


def test_the_help_of_every_command_imports_little_more():
    """SciPy and scikit-learn take longer to import than everything else."""
    show = """
from hashslide.cli import app
def run(*arguments):
    try:
        app(arguments, standalone_mode=False)
    except SystemExit as error:
        assert not error.code
for name in "train", "evaluate", "predict", "inspect", "advise", "info":
    run(name, "--help")
for name in "list", "describe", "convert":
    run("data", name, "--help")
run("train", "--help-advanced")
assert "hashslide.cli.commands.train" in __import__("sys").modules"""
    assert imported_by(show + REPORT.replace("; ", "\n", 1)) <= {"typer", "rich", "numpy"}


def test_every_public_name_is_there_at_first_use():
    code = "import hashslide as h; assert all(hasattr(h, name) for name in h.__all__) and dir(h) == h.__all__"
    assert imported_by(code + REPORT) >= {"numpy", "scipy", "sklearn"}


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="SlideClassifer"):
        hashslide.SlideClassifer  # noqa: B018


def test_the_package_runs_as_a_module():
    done = subprocess.run([sys.executable, "-m", "hashslide", "--version"], capture_output=True, text=True)
    assert done.stdout.strip() == hashslide.__version__
