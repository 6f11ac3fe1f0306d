"""Commands: their options and help; what they do is imported when they run."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
