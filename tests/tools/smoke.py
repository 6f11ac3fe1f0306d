"""What an installed package must do: run with the interpreter of an environment that has hashslide alone.

python smoke.py [WORD]     WORD must be in the path that hashslide is imported from
"""

import subprocess
import sys
import sysconfig
import tempfile
from importlib import metadata, resources
from pathlib import Path

import hashslide
from hashslide import SlideClassifier, data, metrics


def check_files(word: str) -> None:
    """The package is the installed one, typed, with its data and licence."""
    folder = Path(hashslide.__file__).parent
    assert word in str(folder), f"{folder} is not the installed package"
    files = resources.files(hashslide)
    stub = files.joinpath("_core.pyi").read_text()
    assert "class Network" in stub and files.joinpath("py.typed").is_file()
    assert hashslide.__version__ == metadata.version("hashslide")
    licences = [file for file in metadata.files("hashslide") or () if file.name == "LICENSE"]
    assert len(licences) == 1 and "Apache License" in licences[0].read_text()


def check_training() -> None:
    """A model learns, answers and comes back from its file."""
    d = data.builtin("pubmed-mesh")
    X, Y = d.X_train[:4000], d.Y_train[:4000]
    model = SlideClassifier(hidden=64, epochs=3, random_state=0).fit(X, Y)
    labels, _ = model.predict_topk(d.X_test, 1)
    precision = metrics.precision_at_k(d.Y_test, labels, k=1)
    assert precision > 0.4, precision
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "m.hashslide")
        again = SlideClassifier.load(Path(folder) / "m.hashslide").predict_topk(d.X_test, 1)[0]
    assert (again == labels).all()
    print(f"P@1 {precision:.3f} with {hashslide.build_info()['gemm']}")


def check_command() -> None:
    """The command is installed and runs."""
    command = Path(sysconfig.get_path("scripts")) / "hashslide"
    for arguments in ([str(command)], [sys.executable, "-m", "hashslide"]):
        done = subprocess.run([*arguments, "--version"], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == hashslide.__version__
    subprocess.run([command, "data", "list"], check=True)


if __name__ == "__main__":
    check_files(sys.argv[1] if len(sys.argv) > 1 else "site-packages")
    check_training()
    check_command()
    print(f"hashslide {hashslide.__version__} works on Python {sys.version.split()[0]}.")
