"""The rules of the layout: folders include only downward, private names stay inside, no folder is a hall."""

import ast
import inspect
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from hashslide import SlideClassifier

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "src" / "hashslide"

# A folder of the core includes only folders before it.
CORE = (
    "base",
    "simd",
    "weights",
    "sparse",
    "data",
    "text",
    "hashing",
    "families",
    "tables",
    "sampling",
    "learning",
    "output",
    "layers",
    "ranking",
    "inference",
    "estimate",
    "linear",
    "head",
    "network",
    "distributed",
    "rows",
    "python",
    "bind",
)
MOST_FILES = 15
MOST_PARAMETERS = 25


def tracked(folder: str = "") -> list[Path]:
    """Every file under version control."""
    listed = subprocess.run(
        ["git", "ls-files", folder or "."], cwd=TOP, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("no version control here")
    return [TOP / line for line in listed.stdout.splitlines() if (TOP / line).is_file()]


def test_folders_of_the_core_include_only_those_below():
    assert sorted(CORE) == sorted(path.name for path in (TOP / "core").iterdir() if path.is_dir())
    upward = []
    for path in (TOP / "core").rglob("*.[hc]*"):
        for included in re.findall(r'#include "([^"/]+)/', path.read_text()):
            if CORE.index(included) > CORE.index(path.parent.name):
                upward.append(f"{path.relative_to(TOP)} includes {included}/")
    assert not upward


def test_only_one_function_prefetches():
    # Compilers drop calls of other functions that only prefetch (core/base/prefetch.h); kernels stand alone.
    files = [path for path in (TOP / "core").rglob("*.*") if path.suffix in (".h", ".cpp")]
    users = [path for path in files if "__builtin_prefetch" in path.read_text()]
    assert {str(path.relative_to(TOP / "core")) for path in users} == {"base/prefetch.h", "simd/products.cpp"}


def test_headers_of_the_core_do_not_include_each_other_in_a_circle():
    includes = {
        str(path.relative_to(TOP / "core")): re.findall(r'#include "([^"]+)"', path.read_text())
        for path in (TOP / "core").rglob("*.h")
    }
    assert not circle(includes)


def imports_of(path: Path) -> list[tuple[str, str]]:
    """(module, name) of every import of this package that runs when the module is loaded."""
    found = []
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    package = module.removesuffix(".__init__") if module.endswith("__init__") else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                parent = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                source = f"{parent}.{source}".rstrip(".")
            found += [(source, alias.name) for alias in node.names]
    return [(source, name) for source, name in found if source.split(".")[0] == "hashslide"]


def circle(graph: dict[str, list[str]]) -> list[str]:
    """Return a circle of a graph, or nothing."""
    done: set[str] = set()

    def visit(node: str, way: list[str]) -> list[str]:
        if node in way:
            return [*way[way.index(node) :], node]
        if node in done:
            return []
        for following in graph.get(node, ()):
            if found := visit(following, [*way, node]):
                return found
        done.add(node)
        return []

    return next((found for node in graph if (found := visit(node, []))), [])


def test_private_names_are_imported_only_within_their_package():
    """A private module belongs to the package that holds it, with all that lies within this package."""
    strangers = []
    files = [*PACKAGE.rglob("*.py"), *(TOP / "benchmarks").rglob("*.py"), *(TOP / "examples").rglob("*.py")]
    for path in files:
        inside = PACKAGE in path.parents
        here = ".".join(path.parent.relative_to(PACKAGE.parent).parts) if inside else ""
        for source, name in imports_of(path) if inside else absolute_imports_of(path):
            parts = [*source.split("."), name]
            for i, part in enumerate(parts):
                if not part.startswith("_") or part.startswith("__"):
                    continue
                owner = ".".join(parts[:i])
                if owner == "hashslide" and part == "_core" and inside:
                    continue
                if not inside or not (here + ".").startswith(owner + "."):
                    strangers.append(f"{path.relative_to(TOP)}: {source} {name}")
    assert not strangers


def absolute_imports_of(path: Path) -> list[tuple[str, str]]:
    """(module, name) of every import of this package in a script outside it."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return [
        (node.module, alias.name)
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "hashslide"
        for alias in node.names
    ]


def test_packages_do_not_import_each_other_in_a_circle():
    graph = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        here = path.relative_to(PACKAGE).parts
        if len(here) == 1:
            continue  # the flat modules hand on what the packages hold
        for source, _ in imports_of(path):
            parts = source.split(".")
            if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() and parts[1] != here[0]:
                graph[here[0]].append(parts[1])
    assert not circle(graph)


@pytest.mark.parametrize("top", ["core", "src", "tests", "docs", "examples", "benchmarks"])
def test_no_folder_is_a_hall(top):
    sizes = defaultdict(int)
    for path in tracked(top):
        sizes[path.parent.relative_to(TOP).as_posix()] += 1
    crowded = {folder: n for folder, n in sizes.items() if n > MOST_FILES}
    assert not crowded


def test_the_classifier_has_few_parameters():
    parameters = set(inspect.signature(SlideClassifier).parameters)
    assert len(parameters) <= MOST_PARAMETERS
