"""Training on several processes or machines (docs/how/many_machines.md)."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
