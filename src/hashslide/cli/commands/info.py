"""``hashslide info``: how the package was built."""

import hashslide
from hashslide.cli._console import print_facts, print_json
from hashslide.cli._options import Json

__all__ = ["info"]


def __dir__() -> list[str]:
    return __all__


def info(json: Json = False) -> None:
    """Show how hashslide was built and what it runs on.

    [bold]Examples[/bold]

    \b
        hashslide info
        HASHSLIDE_ISA=baseline hashslide info
    """
    facts = hashslide.build_info()
    if json:
        print_json(facts)
    else:
        print_facts("", ((name.replace("_", " "), value) for name, value in facts.items()))
