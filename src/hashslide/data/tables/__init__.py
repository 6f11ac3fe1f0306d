"""Tables whose columns hold lists, names or numbers: Parquet, Arrow, CSV. Needs the extra ``arrow``."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
