"""The network whose rows are dealt out to the ranks (docs/machines/how_it_works.md)."""

from .network import ShardedNetwork

__all__ = ["ShardedNetwork"]


def __dir__() -> list[str]:
    return __all__
