"""What the commands read: data, names, lines of text, models."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
