"""The types that ship: a user's script passes the strict checker, and a wrong one does not."""

import subprocess
import sys
from pathlib import Path

import pytest

import hashslide

pytest.importorskip("mypy")

SCRIPT = """
from pathlib import Path

import hashslide
from hashslide import Network, SlideClassifier, data, errors, metrics
from hashslide.callbacks import Callback, Checkpoint


def train(folder: Path) -> float:
    d = data.builtin("pubmed-mesh")
    checkpoint = Checkpoint(folder / "states", "1 epoch")
    model = SlideClassifier(hidden=64, epochs=3, random_state=0, callbacks=[checkpoint])
    model.fit(d.X_train, d.Y_train, classes=d.label_names)
    labels, scores = model.predict_topk(d.X_test, k=5)
    model.save(folder / "m.hashslide")
    network: Network = SlideClassifier.load(folder / "m.hashslide").network_
    network.snapshot()
    return metrics.precision_at_k(d.Y_test, labels, k=1)


def cpus() -> int:
    try:
        return hashslide.available_cpus()
    except errors.CpuError as error:
        raise SystemExit(str(error)) from error
"""


def check(tmp_path: Path, script: str) -> str:
    """Return what the checker says of a script, whose imports are followed but not judged."""
    (tmp_path / "script.py").write_text(script)
    packages = Path(hashslide.__file__).parents[1]
    search = [] if packages.name == "site-packages" else [f"mypy_path = {packages}"]
    ignored = [f"[mypy-{name}.*]\nignore_missing_imports = True" for name in ("scipy", "sklearn")]
    ignored.append("[mypy-hashslide._core]\nignore_errors = True")  # nanobind writes that stub
    settings = ["[mypy]", "strict = True", "follow_imports = silent", *search, *ignored]
    (tmp_path / "mypy.ini").write_text("\n".join(settings))
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "script.py"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout


def test_a_users_script_is_strictly_typed(tmp_path):
    assert check(tmp_path, SCRIPT).startswith("Success")


def test_wrong_uses_are_found(tmp_path):
    wrong = SCRIPT.replace("hidden=64", "hiden=64").replace(
        "return hashslide.available", "return hashslide.avail"
    )
    wrong = wrong.replace("d.label_names", "d.labels").replace("k=1)", 'k="1")')
    found = check(tmp_path, wrong)
    for message in ('"hiden"', '"avail_cpus"', '"labels"', '"precision_at_k"'):
        assert message in found, found
