"""What can be asked, by the groups of addresses."""

from . import kserve, operations, pages, predict

__all__ = ["kserve", "operations", "pages", "predict"]


def __dir__() -> list[str]:
    return __all__
