"""The Python reference: a page for each public module, made from the docstrings."""

import importlib
import inspect
from pathlib import Path
from types import ModuleType

# An object is described on the page of the first module that exports it; the others refer to that page.
MODULES = (
    "hashslide.settings",
    "hashslide.data",
    "hashslide.metrics",
    "hashslide.callbacks",
    "hashslide.network",
    "hashslide.training",
    "hashslide.model_file",
    "hashslide.csr",
    "hashslide.targets",
    "hashslide.errors",
    "hashslide",
    "hashslide.estimator.auto",
    "hashslide.diagnostics.tables",
    "hashslide.reference",
)


def write_api_reference(folder: Path) -> None:
    """Write the pages, those that would change."""
    folder.mkdir(exist_ok=True)
    homes: dict[int, str] = {}
    contents = {}
    for name in MODULES:
        module = importlib.import_module(name)
        contents[name] = public_names(module)
        for member in contents[name]:
            homes.setdefault(id(getattr(module, member)), f"{name}.{member}")
    pages = {f"{name}.rst": page(name, contents[name], homes) for name in MODULES}
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def public_names(module: ModuleType) -> list[str]:
    """Return what a module exports: its ``__all__``, or what it defines without a leading underscore."""
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if not inspect.ismodule(getattr(module, name))]
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def page(name: str, names: list[str], homes: dict[int, str]) -> str:
    """Return the page of a module: what it is, a table of all names, and the descriptions of its own ones."""
    module = importlib.import_module(name)
    own = [member for member in names if homes[id(getattr(module, member))] == f"{name}.{member}"]
    listed = [homes[id(getattr(module, member))] for member in names]
    blocks = [f"{name}\n{'=' * len(name)}", f".. automodule:: {name}\n   :no-members:"]
    if listed:
        blocks.append(
            ".. currentmodule:: None\n\n.. autosummary::\n\n" + "\n".join(f"   ~{full}" for full in listed)
        )
    blocks += [f".. {directive(getattr(module, member))}:: {name}.{member}" for member in own]
    return "\n\n".join(blocks) + "\n"


def directive(value: object) -> str:
    """Return the directive that describes an object."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if callable(value) else "autodata"
