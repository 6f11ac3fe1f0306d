"""Starting the ranks of a training, watching them, and what each of them does."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
