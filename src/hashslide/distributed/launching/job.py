"""What the ranks of a training are told: in memory, and as a file that each of them reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide import model_file
from hashslide._checks import check_choice, check_float, check_int
from hashslide._interface import setting
from hashslide.callbacks import Checkpoint
from hashslide.distributed.sharded.wire import WIRES
from hashslide.distributed.sharding import N_SHARDS
from hashslide.errors import InputError
from hashslide.estimator.saving import plain_parameters, restore_parameters

__all__ = ["ENGINES", "PROTOCOLS", "Job", "check_synchronous", "check_workers"]


def __dir__() -> list[str]:
    return __all__


PROTOCOLS = ("auto", "activations", "rows", "downpour")
ENGINES = ("torchrun", "ray")
MOST_SHARDS = 1024
KIND = "Job"
_PATHS = ("pack", "output", "checkpoint")
_PLAIN = (
    "protocol",
    "shards",
    "timeout",
    "n_fetch",
    "n_push",
    "wire",
    "overlap",
    "checkpoint_every",
    "checkpoint_keep",
    "resume",
    "optimizer_state",
    "reservoir",
    "show",
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A training of several ranks.

    Parameters
    ----------
    pack : Path
        Of `hashslide.data.Pack`; each machine finds it there.
    output : Path
        The model file that rank 0 writes.
    parameters : mapping of str to object
        Of `SlideClassifier`, without callbacks and threads; `random_state` is a number.
    protocol : {"auto", "activations", "rows", "downpour"}
        "auto": the faster one of the two in the middle. "downpour" is "rows" whose ranks do not wait for each
        other; only the engine Ray has it.
    shards : int, default 8
        Virtual shards that features and labels are dealt to: a multiple of the number of ranks. The model
        depends on it, as on the seed.
    timeout : float, default 60
        Seconds after which a rank that does not answer counts as lost.
    n_fetch, n_push : int, default 1
        With "rows" and "downpour": rows are fetched, and gradients are pushed, every so many batches.
    wire : {"float32", "bfloat16"}
        How activations, rows and gradients travel. bfloat16 halves the bytes; then the model depends a little
        on the number of ranks, and on where a training was resumed.
    overlap : bool, optional
        With "activations": whether examples travel during the step before, which changes no number. None: if
        there are several machines.
    classes, feature_names : array of str, optional
        Names, where the pack has none.
    eval_set : (X, Y), optional
        CSR matrices whose metrics are recorded after each epoch.
    checkpoint : Path, optional
        Folder of checkpoints; all machines see it.
    checkpoint_every, checkpoint_keep
        As in `hashslide.callbacks.Checkpoint`.
    resume : bool
        Whether the training goes on from the last checkpoint, if there is one.
    optimizer_state : bool
        Whether the model file holds it.
    reservoir : int
        As in `SlideClassifier.fit`.
    show : {"lines", "json", "nothing"}
        How rank 0 tells of the progress.

    Raises
    ------
    InputError
        A value is not acceptable.
    """

    pack: Path
    output: Path
    parameters: Mapping[str, Any]
    protocol: str = "auto"
    shards: int = N_SHARDS
    timeout: float = 60.0
    n_fetch: int = 1
    n_push: int = 1
    wire: str = "float32"
    overlap: bool | None = None
    classes: NDArray[Any] | None = None
    feature_names: NDArray[Any] | None = None
    eval_set: tuple[csr_matrix, csr_matrix] | None = field(default=None, repr=False)
    checkpoint: Path | None = None
    checkpoint_every: str | int = "5min"
    checkpoint_keep: int | None = 2
    resume: bool = False
    optimizer_state: bool = False
    reservoir: int = 0
    show: str = "nothing"

    def __post_init__(self) -> None:
        check_choice("protocol", self.protocol, PROTOCOLS)
        check_float("timeout", self.timeout, 1, 86_400)
        check_int("shards", self.shards, 1, MOST_SHARDS)
        for name in ("n_fetch", "n_push"):
            value = check_int(name, getattr(self, name), 1, 1 << 20)
            if value > 1 and self.protocol not in ("rows", "downpour"):
                raise InputError(
                    f"{setting(name, value)} goes with the protocols rows and downpour, not {self.protocol}."
                )
        check_choice("wire", self.wire, WIRES)
        if self.checkpoint is not None:
            Checkpoint(self.checkpoint, self.checkpoint_every)
        elif self.resume:
            raise InputError("resume needs the folder of the checkpoints. Give it too.")

    def save(self, path: Path) -> None:
        """Write the file that `load` reads."""
        arrays: dict[str, NDArray[Any]] = {}
        for name in ("classes", "feature_names"):
            if (names := getattr(self, name)) is not None:
                arrays[name] = np.asarray(names, object)
        if self.eval_set is not None:
            for side, matrix in zip("xy", self.eval_set, strict=True):
                csr = csr_matrix(matrix)
                arrays |= {f"{side}.indptr": csr.indptr, f"{side}.indices": csr.indices}
                arrays |= {f"{side}.values": csr.data, f"{side}.width": np.array([csr.shape[1]])}
        weight = self.parameters.get("label_weight")
        if isinstance(weight, list | tuple | np.ndarray):
            arrays["label_weight"] = np.asarray(weight, np.float32)
        facts = {name: getattr(self, name) for name in _PLAIN}
        facts |= {
            name: value if value is None else str(value) for name in _PATHS for value in [getattr(self, name)]
        }
        parameters = plain_parameters(dict(self.parameters))
        model_file.save_model(path, arrays, {"kind": KIND, "parameters": parameters, "facts": facts})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the job of a file."""
        arrays, metadata = model_file.load_model(path)
        facts, parameters = metadata["facts"], restore_parameters(metadata["parameters"])
        if "label_weight" in arrays:
            parameters["label_weight"] = arrays["label_weight"]
        given: dict[str, Any] = {name: facts[name] for name in _PLAIN}
        given |= {name: facts[name] if facts[name] is None else Path(facts[name]) for name in _PATHS}
        given |= {name: arrays.get(name) for name in ("classes", "feature_names")}
        given["eval_set"] = (_matrix(arrays, "x"), _matrix(arrays, "y")) if "x.indptr" in arrays else None
        return cls(parameters=parameters, **given)


def _matrix(arrays: Mapping[str, NDArray[Any]], side: str) -> csr_matrix:
    indptr, indices, values = (arrays[f"{side}.{part}"] for part in ("indptr", "indices", "values"))
    return csr_matrix((values, indices, indptr), (len(indptr) - 1, int(arrays[f"{side}.width"][0])))


def check_workers(workers: int, shards: int) -> None:
    """Refuse a number of workers to which the shards cannot be dealt.

    Raises
    ------
    InputError
        It is less than 1, more than the shards, or does not divide their number.
    """
    check_int("shards", shards, 1, MOST_SHARDS)
    check_int("workers", workers, 1, MOST_SHARDS)
    if shards % workers:
        fitting = ", ".join(str(n) for n in range(1, shards + 1) if shards % n == 0)
        raise InputError(
            f"{setting('workers', workers)} and {setting('shards', shards)} do not go together: each worker "
            f"has as many shards. Accepted numbers of workers are {fitting}; another number of shards makes "
            "another model."
        )


def check_synchronous(job: Job) -> None:
    """Refuse the protocol whose ranks do not wait for each other.

    Raises
    ------
    InputError
    """
    if job.protocol == "downpour":
        raise InputError(
            f"{setting('protocol', 'downpour')} needs {setting('engine', 'ray')}: torchrun does not go on "
            "without a worker that has died."
        )
