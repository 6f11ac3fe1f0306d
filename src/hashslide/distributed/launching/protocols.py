"""The network of each protocol, and which protocol "auto" stands for."""

import socket
import sys

from hashslide.csr import Csr
from hashslide.distributed.costs import auto_protocol
from hashslide.distributed.exchange import Exchange
from hashslide.distributed.launching.agreement import gather
from hashslide.distributed.launching.job import Job
from hashslide.distributed.rows import RowsNetwork
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.distributed.sharding import Sharding
from hashslide.estimator.fitting import Fit
from hashslide.settings import NetworkConfig

__all__ = ["decide_protocol", "make_network"]


def __dir__() -> list[str]:
    return __all__


def decide_protocol(
    job: Job, fit: Fit, config: NetworkConfig, before: str | None, exchange: Exchange, n_threads: int
) -> str:
    """Return the protocol of a training: that which is wanted, or what "auto" stands for. Collective.

    Parameters
    ----------
    job : Job
    fit : Fit
    config : NetworkConfig
    before : str or None
        That of the checkpoint to go on from, with which "auto" stays.
    exchange : Exchange
    n_threads : int
    """
    if job.protocol != "auto" or before is not None:
        return job.protocol if before is None else before
    x: Csr = fit.data.x
    choice = auto_protocol(config, fit.settings.batch_size, x, fit.data.y, exchange, n_threads)
    if exchange.rank == 0 and job.show == "lines":
        print(f"protocol: {choice.protocol}, because {choice.reason}", file=sys.stderr)
    return choice.protocol


def make_network(
    job: Job, protocol: str, config: NetworkConfig, features: Sharding, labels: Sharding, exchange: Exchange
) -> ShardedNetwork:
    """Return the untrained network of a protocol, of which this rank has its shards. Collective."""
    if protocol == "rows":
        how = {"n_fetch": job.n_fetch, "n_push": job.n_push}
        return RowsNetwork(config, features, labels, exchange, wire=job.wire, **how)
    overlap = job.overlap
    if overlap is None:
        overlap = len(set(gather(exchange, socket.gethostname()))) > 1
    return ShardedNetwork(config, features, labels, exchange, wire=job.wire, overlap=overlap)
