"""Build what is released, and try it as a stranger would.

    python tests/tools/dist.py [--to DIST] [--python PYTHON ...]

1. The sdist, which holds what the wheel needs and nothing else; the wheel, built from the sdist.
2. `auditwheel repair`: the wheel's tag says on which Linux it runs. OpenBLAS stays outside: the package
   scipy-openblas32, on which the wheel depends, brings it, and `hashslide/__init__.py` loads it.
3. Each is installed into a fresh environment outside the tree, where `smoke.py` runs; the wheel with every
   PYTHON that its tag admits.
"""

import argparse
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
SMOKE = Path(__file__).with_name("smoke.py")
OPENBLAS = "libscipy_openblas.so"  # what pyproject.toml tells cibuildwheel to leave outside, too
IN_SDIST = (
    "core/bind/module.cpp",
    "src/hashslide/py.typed",
    "src/hashslide/data/builtin/pubmed-mesh/train.txt.gz",
    "CMakeLists.txt",
    "LICENSE",
    "README.md",
    "pyproject.toml",
)
NOT_IN_SDIST = ("benchmarks", ".ci", ".github", "build")


def run(*command: object, cwd: Path | str = TREE) -> str:
    """Run a command; return what it prints."""
    print("+", *command, flush=True)
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\n{done.stderr}\nexit code {done.returncode}")
    return done.stdout


def build(folder: Path) -> tuple[Path, Path]:
    """Return the sdist and the repaired wheel."""
    with tempfile.TemporaryDirectory() as raw:
        run(sys.executable, "-m", "build", "--outdir", raw, TREE)
        (sdist,), (wheel,) = Path(raw).glob("*.tar.gz"), Path(raw).glob("*.whl")
        run(sys.executable, "-m", "auditwheel", "repair", "--exclude", OPENBLAS, "-w", folder, wheel)
        kept = sdist.replace(folder / sdist.name)
    (repaired,) = folder.glob("*.whl")
    return kept, repaired


def check_sdist(sdist: Path) -> None:
    """What is needed is there, what is not is not."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    missing = [name for name in IN_SDIST if name not in names]
    surplus = [name for name in names if name.startswith(NOT_IN_SDIST) or name.endswith((".so", "_core.pyi"))]
    if missing or surplus:
        sys.exit(f"{sdist.name} lacks {missing} and should not hold {surplus}.")


def check_wheel(wheel: Path) -> None:
    """The stub and the marker of types ship; the tag names the Linux."""
    names = zipfile.ZipFile(wheel).namelist()
    missing = {"hashslide/_core.pyi", "hashslide/py.typed", "hashslide/__init__.pyi"} - set(names)
    if missing or "manylinux" not in wheel.name:
        sys.exit(f"{wheel.name} lacks {sorted(missing)} or is not tagged for many Linuxes.")


def try_in_fresh_environment(python: str, package: Path) -> None:
    """Install a file, and only what it asks for, into an environment outside the tree; run the smoke test."""
    with tempfile.TemporaryDirectory() as folder:
        run(python, "-m", "venv", "env", cwd=folder)
        inside = Path(folder) / "env" / "bin" / "python"
        run(inside, "-m", "pip", "install", "--quiet", package, cwd=folder)
        print(run(inside, SMOKE, folder, cwd=folder), end="")


def main() -> None:
    """Build, check, try."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--to", type=Path, default=TREE / "dist", help="where the files go")
    parser.add_argument(
        "--python", nargs="*", default=[sys.executable], help="interpreters to try the wheel with"
    )
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    for old in options.to.glob("hashslide-*"):
        old.unlink()
    sdist, wheel = build(options.to)
    check_sdist(sdist)
    check_wheel(wheel)
    for python in options.python:
        try_in_fresh_environment(python, wheel)
    try_in_fresh_environment(sys.executable, sdist)
    for file in (sdist, wheel):
        print(f"{file.stat().st_size:>10,} bytes  {file}")


if __name__ == "__main__":
    main()
