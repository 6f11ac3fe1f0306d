"""Checkpoints of several ranks: for each step a folder, with a file for each shard and at last a manifest.

A folder without a manifest is not finished and does not count. Shards do not depend on the number of ranks,
so that a training goes on with another one.
"""

import hashlib
import json
import os
import shutil
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide import model_file
from hashslide._interface import setting
from hashslide._os_errors import as_path
from hashslide.callbacks import Checkpoint
from hashslide.callbacks.checkpoint import step_folders, step_name
from hashslide.distributed.launching.agreement import gather, share
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.errors import InputError, ModelFileError
from hashslide.estimator.fitting.resuming import Start
from hashslide.estimator.saving import finite_record, restore_position, restore_record
from hashslide.training import TrainingContext

__all__ = [
    "MANIFEST",
    "OF_DATA",
    "Manifest",
    "ShardedCheckpoint",
    "check_same_facts",
    "finished",
    "last_manifest",
    "restore",
    "shard_name",
]


def __dir__() -> list[str]:
    return __all__


MANIFEST = "manifest.hashslide"
_KIND, _SHARD = "Checkpoint", "Shard"
_BEST = "best."  # prefix of the arrays of the best epoch's network
OF_DATA = {  # of the facts
    "data": "it is not the same pack",
    "label_names": "the names of the labels differ",
    "examples": "the numbers of examples differ",
}
_MOST_BATCHES = 1000  # between two looks at the clock


def shard_name(shard: int) -> str:
    """Return the name of the file of a shard."""
    return f"shard-{shard:04d}.hashslide"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a checkpoint says of itself.

    Attributes
    ----------
    facts : dict
        Of the data and the settings: a training that goes on has the same.
    position : dict
        `hashslide.training.Position`
    history : list of dict
        The records of the epochs that have ended.
    digests : list of str
        What changes with the content of each shard's file.
    """

    facts: dict[str, Any]
    position: dict[str, Any]
    history: list[dict[str, Any]]
    digests: list[str]

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read that of a checkpoint.

        Raises
        ------
        ModelFileError
            It is damaged.
        """
        metadata = model_file.inspect(folder / MANIFEST).metadata
        if metadata.get("kind") != _KIND:
            raise ModelFileError(f"{folder / MANIFEST} is not the manifest of a checkpoint. Delete {folder}.")
        return cls(**{name: metadata[name] for name in cls.__dataclass_fields__})

    def write(self, folder: Path) -> None:
        """Finish a checkpoint: from here on it counts."""
        model_file.save_model(folder / MANIFEST, {}, {"kind": _KIND, **asdict(self)})


class ShardedCheckpoint(Checkpoint):
    """Saves the state of a training of several ranks now and then, and at its end.

    Parameters
    ----------
    folder, every, keep
        As of `hashslide.callbacks.Checkpoint`; all ranks see the folder.
    network : ShardedNetwork
    facts : dict
        Of the data and the settings, as JSON.
    """

    def __init__(
        self,
        folder: Path,
        every: str | int,
        keep: int | None,
        network: ShardedNetwork,
        facts: dict[str, Any],
    ) -> None:
        super().__init__(folder, every, keep)
        self._network, self._facts = network, facts
        self._batches = 0  # since the last one
        self._next_look = 1

    def setup(self, estimator: Any, context: TrainingContext) -> None:
        """Find out now whether files can be written, and remove what a training that died left unfinished."""
        if self._network.exchange.rank == 0:
            super().setup(estimator, context)
            for path in step_folders(as_path(self.folder)):
                if not (path / MANIFEST).exists():
                    shutil.rmtree(path)
        self._network.exchange.barrier()
        self._last = self._progress(context, context.epoch)

    def on_batch_end(self, estimator: Any, context: TrainingContext) -> None:
        """Save, if it is time.

        The clock is that of rank 0. It is asked seldom, as the answer takes a message: after half of the
        batches that there is time for, as far as the speed so far tells.
        """
        if self._unit != "second":
            super().on_batch_end(estimator, context)
            return
        self._batches += 1
        if self._batches < self._next_look:
            return
        elapsed = time.monotonic() - self._last
        left = (self._amount - elapsed) / max(elapsed, 1e-9) * self._batches
        wait = min(max(1, int(left / 2)), _MOST_BATCHES) if left > 0 else 0
        wait = share(self._network.exchange, wait)
        self._next_look = self._batches + wait
        if wait == 0:
            self._save(estimator, context, context.epoch)

    def _save(self, estimator: Any, context: TrainingContext, epoch: int) -> None:
        network, exchange, folder = self._network, self._network.exchange, as_path(self.folder)
        path = folder / step_name(epoch, context.position.batch)
        path.mkdir(exist_ok=True)
        for shard in network.owned:
            arrays = network.shard_state(shard) | _of_shard(context.best_state or {}, shard)
            model_file.save_model(path / shard_name(shard), arrays, {"kind": _SHARD, "shard": shard})
        own = [_digest(model_file.inspect(path / shard_name(shard))) for shard in network.owned]
        digests = [
            digest for of_rank in gather(exchange, own) for digest in of_rank
        ]  # so all are on the disk
        if exchange.rank == 0:
            _sync(folder)
            history = [finite_record(record) for record in context.history]
            position = asdict(context.position)
            Manifest(facts=self._facts, position=position, history=history, digests=digests).write(path)
            for old in finished(folder)[self.keep or 2**31 :]:
                _remove(old)
        self._last, self._batches, self._next_look = self._progress(context, epoch), 0, 1


def finished(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder that were finished, the last one first."""
    return [path for path in step_folders(folder) if (path / MANIFEST).exists()]


def last_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of the last checkpoint whose manifest can be read; None without any."""
    for path in finished(folder):
        try:
            return Manifest.read(path)
        except ModelFileError:
            continue  # `restore` will tell
    return None


def restore(folder: Path, network: ShardedNetwork, facts: dict[str, Any]) -> Start:
    """Put the network into the state of the last checkpoint that is whole. Collective.

    Without any checkpoint the training starts from the beginning. Later ones, which are broken, are removed.

    Raises
    ------
    InputError
        The checkpoint is of other data or settings, or none of several can be read.
    """
    exchange = network.exchange
    paths = [folder / name for name in share(exchange, _names(folder))]
    if not paths:
        return Start()
    if (last := last_manifest(folder)) is not None:
        check_same_facts(last.facts, facts)  # before the files of shards that it never had are missed
    path = _last_whole(paths, network)
    if path is None:
        raise InputError(
            f"no checkpoint in {folder} can be read. Delete what is there to train from the beginning."
        )
    manifest = Manifest.read(path)
    exchange.barrier()
    if exchange.rank == 0:
        for broken in paths[: paths.index(path)]:
            _remove(broken)
    best: dict[str, NDArray[Any]] = {}
    for shard in network.owned:
        arrays, _ = model_file.load_model(path / shard_name(shard))
        prefix = _prefix(shard)
        best |= {
            prefix + n.removeprefix(_BEST): np.array(a) for n, a in arrays.items() if n.startswith(_BEST)
        }
        network.restore_shard(shard, {n: a for n, a in arrays.items() if not n.startswith(_BEST)})
    history = [restore_record(record) for record in manifest.history]
    return Start(history, restore_position(manifest.position), best or None)


def _names(folder: Path) -> list[str]:
    return [path.name for path in finished(folder)] if folder.is_dir() else []


def _last_whole(paths: list[Path], network: ShardedNetwork) -> Path | None:
    """Return the first of some checkpoints of which no rank finds its part broken. Collective."""
    for path in paths:
        faults = [fault for fault in gather(network.exchange, _fault(path, network)) if fault is not None]
        if not faults:
            return path
        if network.exchange.rank == 0:
            warnings.warn(f"A checkpoint is skipped: {faults[0]}", stacklevel=3)
    return None


def check_same_facts(before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with other data or settings.

    Raises
    ------
    InputError
    """
    for name, value in now.items():
        old = before.get(name)
        if old == value:
            continue
        if name in OF_DATA:
            raise InputError(f"the checkpoint was made on other data: {OF_DATA[name]}. Give the same data.")
        raise InputError(
            f"the checkpoint was made with {setting(name, old)}, but this training has {value!r}. Give both "
            "the same settings, or train from the beginning in another folder."
        )


def _fault(folder: Path, network: ShardedNetwork) -> str | None:
    """Return what is broken of this rank's part of a checkpoint."""
    try:
        manifest = Manifest.read(folder)
        for shard in network.owned:
            path = folder / shard_name(shard)
            if _digest(model_file.inspect(path, verify=True)) != manifest.digests[shard]:
                return f"{path} is not the file that the manifest names."
    except (ModelFileError, KeyError, IndexError) as error:
        return str(error)
    return None


def _digest(summary: model_file.ModelSummary) -> str:
    return hashlib.sha256(json.dumps(summary.checksums, sort_keys=True).encode()).hexdigest()


def _prefix(shard: int) -> str:
    return f"shard{shard:02}."


def _of_shard(state: Mapping[str, NDArray[Any]], shard: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of one shard in the state of the best epoch, as its file names them."""
    prefix = _prefix(shard)
    return {_BEST + n.removeprefix(prefix): array for n, array in state.items() if n.startswith(prefix)}


def _remove(folder: Path) -> None:
    """Remove a checkpoint, the manifest first: what is half removed is not finished."""
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    descriptor = os.open(folder, os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
