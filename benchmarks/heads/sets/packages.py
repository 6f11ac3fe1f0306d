"""Packages of Debian, npm and PyPI, fetched by apt-get, npm and pip and kept in a folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def debian(name: str, folder: Path) -> Path:
    """Return the package file of a Debian package, fetched unless it lies in `folder`."""
    return _fetched(folder, f"{name}_*.deb", ["apt-get", "download", name])


def npm(name: str, version: str, folder: Path) -> Path:
    """Return the archive of an npm package, fetched unless it lies in `folder`."""
    return _fetched(folder, f"{name}-{version}.tgz", ["npm", "pack", f"{name}@{version}"])


def pypi(name: str, version: str, folder: Path) -> Path:
    """Return the wheel of a PyPI package or its source, fetched unless it lies in `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", f"{name}=={version}"]
    return _fetched(folder, f"{name.replace('-', '_')}-{version}[-.]*", command)


def unpacked(package: Path, target: Path) -> Path:
    """Return `target` with the files of a Debian package in it."""
    subprocess.run(["dpkg-deb", "-x", package, target], check=True)
    return target


def built(folder: Path, files: tuple[str, ...], build: Callable[[], None]) -> None:
    """Let `build` write the files of a folder, unless all of them are there."""
    if not all((folder / name).exists() for name in files):
        folder.mkdir(parents=True, exist_ok=True)
        build()


def _fetched(folder: Path, pattern: str, command: list[str]) -> Path:
    if not list(folder.glob(pattern)):
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return sorted(folder.glob(pattern))[-1]
