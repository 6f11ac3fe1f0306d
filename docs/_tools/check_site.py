"""Check a built site: links lead somewhere, nothing comes from another host, no public name is missing.

python docs/_tools/check_site.py build/docs
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from functools import reduce
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

from api import public_modules
from sphinx.util.inventory import InventoryFile

LOADED = {"script": "src", "img": "src", "source": "srcset", "link": "href", "iframe": "src"}


class Page(HTMLParser):
    """The anchors of a page, where it links to and what it loads."""

    def __init__(self, path: Path):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Note what the tag means for the check."""
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif LOADED.get(tag) in given:
            self.loaded.append(given[LOADED[tag]])


def broken_links(site: Path) -> Iterator[str]:
    """Yield a line for each local link or resource that is missing, and for each resource of another host."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    for path, page in pages.items():
        place = path.relative_to(site.resolve())
        for address in page.loaded:
            if urlsplit(address).netloc:
                yield f"{place}: loads {address} from another host"
        for address in page.links + page.loaded:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                yield f"{place}: {address} leads nowhere"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{place}: {address} names no place on its page"


def missing_names(site: Path) -> Iterator[str]:
    """Yield a line for each public name of a public module that the reference does not describe."""
    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, uri: uri)
    names = {name for kind, found in inventory.items() if kind.startswith("py:") for name in found}
    modules = {name: importlib.import_module(name) for name in ["hashslide", *public_modules()]}
    described = {id(found(name, modules)) for name in names}
    for module in modules.values():
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not inspect.ismodule(value) and id(value) not in described:
                yield f"{module.__name__}.{name} is public and not in the reference"


def found(name: str, modules: dict[str, ModuleType]) -> object:
    """Return what a full name stands for; a folder of data is no module, though it can be imported."""
    home = name
    while home not in modules and "." in home:
        home = home.rpartition(".")[0]
    try:
        return reduce(getattr, filter(None, name.removeprefix(home).split(".")), modules.get(home))
    except AttributeError:
        return None


def main() -> int:
    """Print the faults; 1 if there are any."""
    site = Path(sys.argv[1])
    faults = [*broken_links(site), *missing_names(site)]
    print(*faults, sep="\n", end="\n" if faults else "")
    return min(len(faults), 1)


if __name__ == "__main__":
    sys.exit(main())
