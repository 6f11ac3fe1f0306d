"""The network of each protocol, and which protocol "auto" stands for."""

from hashslide.distributed.exchange import Exchange
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.distributed.sharding import Sharding
from hashslide.settings import NetworkConfig

__all__ = ["decide_protocol", "make_network"]


def __dir__() -> list[str]:
    return __all__


def decide_protocol(wanted: str, before: str | None) -> str:
    """Return a protocol that is none of "auto".

    Parameters
    ----------
    wanted : {"auto", "activations", "rows"}
    before : str or None
        That of the checkpoint to go on from.
    """
    if wanted != "auto":
        return wanted
    return before or "activations"


def make_network(
    protocol: str, config: NetworkConfig, features: Sharding, labels: Sharding, exchange: Exchange
) -> ShardedNetwork:
    """Return the untrained network of a protocol, of which this rank has its shards."""
    if protocol == "rows":
        from hashslide.distributed.rows import RowsNetwork

        return RowsNetwork(config, features, labels, exchange)
    return ShardedNetwork(config, features, labels, exchange)
