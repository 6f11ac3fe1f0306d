"""The Python reference: a page for each public module, made from the docstrings."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import hashslide

# An object is described on the page of the first module that exports it; the others refer to that page. What
# these do not export is described on pages of the modules where it is defined, below the page "more".
MODULES = (
    "hashslide.settings",
    "hashslide.data",
    "hashslide.metrics",
    "hashslide.callbacks",
    "hashslide.ranking",
    "hashslide.network",
    "hashslide.torch",
    "hashslide.jax",
    "hashslide.distributed",
    "hashslide.training",
    "hashslide.tuning",
    "hashslide.estimate",
    "hashslide.model_file",
    "hashslide.csr",
    "hashslide.errors",
    "hashslide",
    "hashslide.reference",
)
MORE = """\
More modules
============

What the package is built of, for those who change it or build on it.

.. toctree::
   :maxdepth: 1

"""


def write_api_reference(folder: Path) -> None:
    """Write the pages, those that would change."""
    folder.mkdir(exist_ok=True)
    homes: dict[int, str] = {}
    pages, more = {}, []
    for name in (*MODULES, *sorted(set(public_modules()) - set(MODULES))):
        module = importlib.import_module(name)
        members = {member: getattr(module, member) for member in public_names(module)}
        own = [member for member, value in members.items() if id(value) not in homes]
        homes.update({id(members[member]): f"{name}.{member}" for member in own})
        if name in MODULES or own:
            pages[f"{name}.rst"] = page(module, members, homes)
        if name not in MODULES and own:
            more.append(name)
    pages["more.rst"] = MORE + "".join(f"   {name}\n" for name in more)
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def public_modules() -> Iterator[str]:
    """Yield the modules of the package whose path has no leading underscore, those of the commands aside."""
    for found in pkgutil.walk_packages(hashslide.__path__, "hashslide."):
        parts = found.name.split(".")
        if parts[1] != "cli" and not any(part.startswith("_") for part in parts):
            yield found.name


def public_names(module: ModuleType) -> list[str]:
    """Return what a module exports: its ``__all__``, or what it defines without a leading underscore."""
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if not inspect.ismodule(getattr(module, name))]
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def page(module: ModuleType, members: dict[str, object], homes: dict[int, str]) -> str:
    """Return the page of a module: what it is, a table of all names, and the descriptions of its own ones."""
    name = module.__name__
    blocks = [f"{name}\n{'=' * len(name)}", f".. automodule:: {name}\n   :no-members:"]
    if members:
        listed = "\n".join(f"   ~{homes[id(value)]}" for value in members.values())
        blocks.append(f".. currentmodule:: None\n\n.. autosummary::\n\n{listed}")
    blocks += [
        f".. {directive(value)}:: {name}.{member}{inherited(value)}"
        for member, value in members.items()
        if homes[id(value)] == f"{name}.{member}"
    ]
    return "\n\n".join(blocks) + "\n"


def directive(value: object) -> str:
    """Return the directive that describes an object."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if callable(value) else "autodata"


def inherited(value: object) -> str:
    """Return the option that shows what a class has from other classes of the package."""
    parents = value.__mro__[1:] if inspect.isclass(value) else ()
    if not any(parent.__module__.startswith("hashslide.") for parent in parents):
        return ""
    foreign = next(parent for parent in parents if not parent.__module__.startswith("hashslide."))
    return f"\n   :inherited-members: {foreign.__name__}"
