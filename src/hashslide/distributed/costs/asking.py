"""From a training and its data to what it will cost on many machines, and to the protocol that it takes."""

from typing import TYPE_CHECKING, Any

import numpy as np

from hashslide._checks import is_auto
from hashslide.csr import Csr
from hashslide.distributed.costs.choice import Choice
from hashslide.distributed.costs.estimating import Costs, MachinesEstimate
from hashslide.distributed.costs.link import Link, measure_link, parse_bandwidth, parse_delay
from hashslide.distributed.exchange import Exchange
from hashslide.estimator.auto import Problem, decide
from hashslide.estimator.features import is_dense
from hashslide.estimator.parameters import check_parameters
from hashslide.estimator.preparing import (
    decidable,
    encode,
    has_one_label,
    network_config,
    training_data,
)
from hashslide.planning import Shape, Sizes
from hashslide.settings import NetworkConfig

if TYPE_CHECKING:
    from hashslide.estimator import SlideClassifier

__all__ = ["auto_protocol", "estimate_machines"]


def __dir__() -> list[str]:
    return __all__


_KINDS_OF_STEPS = 5
_SAMPLE = 1 << 14  # examples that "auto" looks at
_CHOICE_SECONDS = 0.2  # for each kind of step


def estimate_machines(
    model: "SlideClassifier",
    X: Any,
    y: Any,
    machines: int,
    *,
    network: str = "10Gbit",
    delay: str = "0.1ms",
    total_examples: int | None = None,
    total_features: int | None = None,
    total_labels: int | None = None,
    seconds: float = 2.0,
) -> MachinesEstimate:
    """Estimate what training on many machines like this one costs; the model is unchanged.

    Parameters
    ----------
    model : SlideClassifier
        With the parameters of the training. Where `batch_size` is "auto", the estimate is for the batch that
        a single machine would have, dealt out to all, and for one such batch on each machine.
    X, y
        As in `SlideClassifier.fit`: all the data, or a random sample of them.
    machines : int
        1 to 1,024.
    network : str
        Bits per second that each machine can send while it receives as many, such as "10Gbit".
    delay : str
        From one machine to another, such as "0.1ms".
    total_examples, total_features, total_labels : int, optional
        Of all the data, where X and y are a sample.
    seconds : float
        For measuring on this machine, about.

    Returns
    -------
    MachinesEstimate

    Raises
    ------
    InputError
        As in `SlideClassifier.estimate`; the network or the delay is no such text; or many machines cannot
        train such a network.
    """
    link = Link(bandwidth=parse_bandwidth(network), delay=parse_delay(delay))
    x, labels, multilabel = encode(X, y)
    shape = Shape.of(x, labels, total_examples, total_features, total_labels)
    given = check_parameters(model)
    settings = decide(
        Problem(
            n_examples=shape.n_examples,
            n_features=shape.n_features,
            n_labels=shape.n_labels,
            values_per_example=shape.features_per_example,
            labels_per_example=shape.labels_per_example,
            one_label=not multilabel or has_one_label(labels),
            is_dense=is_dense(training_data(x, labels)),
        ),
        decidable(given),
    )

    def config(n_features: int, n_labels: int) -> NetworkConfig:
        return network_config(settings, n_features, n_labels)

    whole = config(shape.n_features, shape.n_labels)
    costs = Costs(whole, x, labels, given["n_jobs"], seconds / _KINDS_OF_STEPS)
    batches = [settings.batch_size]
    if is_auto(given["batch_size"]):
        batches.append(machines * settings.batch_size)
    return costs.estimate(machines, batches, link, Sizes(config))


def auto_protocol(
    config: NetworkConfig, batch_size: int, x: Csr, y: Csr, exchange: Exchange, n_threads: int = 1
) -> Choice:
    """Return what ``protocol="auto"`` stands for, by what rank 0 measures in about a second. Collective.

    Parameters
    ----------
    config : NetworkConfig
        Of the whole network.
    batch_size : int
        Examples of all ranks together.
    x, y : Csr
        Examples in random order, of which the first ones are looked at.
    exchange : Exchange
    n_threads : int
        Of each rank.

    Returns
    -------
    Choice
        The same on all ranks. Times decide, so it may be another one the next time.
    """
    link = measure_link(exchange)
    text = b""
    if exchange.rank == 0:
        n = min(x.n_rows, _SAMPLE)
        costs = Costs(config, x.block(0, n), y.block(0, n), n_threads, _CHOICE_SECONDS)
        text = "\n".join(costs.choose(exchange.size, batch_size, link)).encode()
    (first, *_) = exchange.all_gather(np.frombuffer(text, np.uint8), "control")
    return Choice(*first.tobytes().decode().split("\n"))
