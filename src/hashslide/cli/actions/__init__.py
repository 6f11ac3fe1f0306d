"""What the commands do; how they are called is declared one folder above."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
