"""Steps of a training on one of several ranks, timed and counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hashslide import SlideClassifier, data
from hashslide.csr import Csr
from hashslide.data import Pack
from hashslide.distributed.costs import Costs, measure_link
from hashslide.distributed.exchange import Exchange
from hashslide.distributed.reading import ReadersOfPack
from hashslide.distributed.rows import RowsNetwork
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.distributed.sharding import Sharding
from hashslide.estimator.parameters import check_parameters
from hashslide.estimator.preparing import decide_settings, network_config, training_data, unit_scale
from hashslide.settings import NetworkConfig
from hashslide.training import Batch

from ..common.matrices import part_file

KINDS = {"activations": ShardedNetwork, "rows": RowsNetwork}
SHARDS = 8


def pack_of(name: str, folder: Path) -> Path:
    """Pack the training part of a built-in set or of a folder of data; return the pack."""
    source = data.builtin_path(name) if name in data.builtin_names() else Path(name)
    path = folder / f"{source.name}.pack"
    Pack.build(part_file(source, "train"), path)
    return path


def config_of(pack: Pack, settings: dict[str, Any], n_labels: int = 0) -> tuple[NetworkConfig, int]:
    """Return the network that a classifier with these settings trains on a pack, and its batch size."""
    examples = training_data(pack.x, pack.y)
    multilabel = bool((np.diff(pack.y.indptr) != 1).any())
    decided = decide_settings(check_parameters(SlideClassifier(**settings)), examples, multilabel)
    config = network_config(decided, pack.n_features, max(n_labels, pack.n_labels))
    return replace(config, input_scale=unit_scale(examples), seed=0), decided.batch_size


def run_steps(
    exchange: Exchange,
    pack: str,
    protocol: str,
    settings: dict[str, Any],
    batch: int = 0,
    steps: int = 50,
    n_labels: int = 0,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Train some steps; return the seconds of each, what this rank sent in them, and what they touched.

    Parameters
    ----------
    exchange
        Of the rank.
    pack
        The file.
    protocol
        "activations" or "rows".
    settings
        Of a `SlideClassifier`.
    batch
        Examples of all ranks together; 0: as the settings say.
    steps
        How many are measured, after one that is not.
    n_labels
        If there are fewer, labels that no example has are added.
    options
        Of the network.
    """
    opened = Pack.open(Path(pack))
    config, batch_size = config_of(opened, settings, n_labels)
    batch = batch or batch_size
    counts = np.zeros(config.n_labels, np.int64)
    counts[: opened.n_labels] = np.bincount(opened.y.indices, minlength=opened.n_labels)
    of_features = np.bincount(opened.x.indices, minlength=config.n_features)
    features, labels = (Sharding.balanced(each, SHARDS) for each in (of_features, counts))
    network = KINDS[protocol](config, features, labels, exchange, **options or {})
    network.set_label_prior(counts, len(opened))
    readers = ReadersOfPack(len(opened), SHARDS, exchange.rank, exchange.size, opened)
    source = network.ahead(Widened(readers, config.n_labels))
    ends = []
    batches = (b for epoch in range(1000) for b in source.batches(epoch, batch, 0))
    for number, each in enumerate(islice(batches, steps + 1)):
        if number == 1:
            exchange.bytes_sent.clear()
        network.train_batch(each.x, each.y, each.rows, 0.05, None, 1)
        ends.append(time.perf_counter())
    return {
        "seconds": np.diff(ends).tolist(),
        "sent": {name: n / steps for name, n in exchange.bytes_sent.items()},
        "batch": batch,
        "load": load_of(features, of_features, exchange.size),
        "label_load": load_of(labels, counts, exchange.size),
    }


class Widened:
    """A source whose matrices of labels have more columns, which are empty."""

    def __init__(self, source: ReadersOfPack, n_labels: int) -> None:
        self._source, self._n_labels = source, n_labels

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch."""
        return self._source.n_batches(batch_size)

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch."""
        for batch in self._source.batches(epoch, batch_size, seed, first):
            y = Csr.trusted(batch.y.indptr, batch.y.indices, batch.y.data, self._n_labels)
            yield batch._replace(y=y)


def load_of(sharding: Sharding, counts: np.ndarray, parts: int) -> dict[str, float]:
    """Return the largest load over the mean, of the shards and of the ranks."""
    return {
        name: float(loads.max() / loads.mean())
        for name, loads in (("shards", sharding.loads(counts)), ("ranks", sharding.loads(counts, parts)))
    }


def link_of(exchange: Exchange) -> dict[str, float]:
    """Return what the network between the ranks can do."""
    found = measure_link(exchange)
    return {"bandwidth": found.bandwidth, "delay": found.delay, "message": found.message}


def expected(pack: Path, settings: dict[str, Any], n_labels: int = 0, seconds: float = 0.3) -> Costs:
    """Return what the formulas expect of trainings on a pack, with so many labels if it has fewer."""
    opened = Pack.open(pack)
    config, _ = config_of(opened, settings, n_labels)
    return Costs(config, opened.x, opened.y, 1, seconds)
