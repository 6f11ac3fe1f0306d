"""DistributedSlideClassifier: `SlideClassifier`, trained by several processes or machines."""

import inspect
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from hashslide._checks import check_int
from hashslide._locks import training, unbroken
from hashslide._os_errors import StrPath, as_path
from hashslide.callbacks import Checkpoint
from hashslide.csr import as_csr
from hashslide.data.pack import Pack
from hashslide.distributed.launching.engines import start
from hashslide.distributed.launching.job import Job
from hashslide.distributed.sharding import N_SHARDS
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.fitting.committing import note_features
from hashslide.estimator.fitting.data import examples_of
from hashslide.estimator.parameters import PARAMETERS, check_parameters
from hashslide.estimator.preparing import check_examples, draw_seed
from hashslide.settings import Layer
from hashslide.settings.limits import MAX_IDS
from hashslide.targets import LabelNames

__all__ = ["DistributedSlideClassifier"]


def __dir__() -> list[str]:
    return __all__


_OF_PROCESSES = ("callbacks", "n_jobs", "verbose")  # parameters that each process has for itself


class _Examples(NamedTuple):
    """What is trained on, and what the workers are not told of it."""

    pack: Path
    labels: LabelNames
    multilabel: bool
    dense_dtype: np.dtype[Any] | None


class DistributedSlideClassifier(SlideClassifier):
    """`SlideClassifier` whose training several processes share, on this machine or on a cluster of Ray.

    The rows of the layers are dealt to the processes. After `fit` it is an ordinary classifier in this
    process: it predicts, saves the same files, and goes on learning with `partial_fit` here.

    The network has one dense hidden layer and active sets per batch, without hash tables.

    Parameters
    ----------
    hidden : int or Layer, default 256
    workers : int, default 2
        Processes; they divide `shards`.
    protocol : {"auto", "activations", "rows", "downpour"}
        What the workers exchange (docs/machines/how_it_works.md). With "activations" the model is the same,
        bit for bit, for any number of workers. "auto": that or "rows", by what a step is measured to take.
        "downpour", of the engine Ray: rows, without waiting for each other; it goes on when workers die.
    engine : {"torchrun", "ray"}
        What starts the workers: torchrun on this machine, or Ray on the machines of its cluster.
    shards : int, default 8
        The rows are dealt to so many shards. The model depends on it, as on the seed.
    timeout : float, default 60
        Seconds after which a worker that does not answer is given up, and the training with it.
    n_fetch, n_push : int, default 1
        With the protocols "rows" and "downpour": rows are fetched, and gradients are pushed, every so many
        batches of a worker.
    wire : {"float32", "bfloat16"}
        How activations, rows and gradients travel. bfloat16 halves the bytes; then the model depends a
        little on the number of workers.
    overlap : bool or None, default None
        With the protocol "activations": whether the examples of a step travel during the step before, which
        changes no number. None: if there are several machines.
    **parameters
        All others of `SlideClassifier`. `n_jobs` are threads of each worker, by default the CPUs divided
        among them; `callbacks` may hold a `hashslide.callbacks.Checkpoint`, whose folder then has one folder
        for each state, with a file for each shard.

    Examples
    --------
    >>> from hashslide.distributed import DistributedSlideClassifier
    >>> model = DistributedSlideClassifier(workers=2, epochs=3)
    >>> model.get_params()["epochs"]
    3
    """

    def __init__(
        self,
        hidden: int | Layer | Sequence[int | Layer] = 256,
        *,
        workers: int = 2,
        protocol: str = "auto",
        engine: str = "torchrun",
        shards: int = N_SHARDS,
        timeout: float = 60.0,
        n_fetch: int = 1,
        n_push: int = 1,
        wire: str = "float32",
        overlap: bool | None = None,
        **parameters: Any,
    ) -> None:
        super().__init__(hidden, **parameters)
        self.workers = workers
        self.protocol = protocol
        self.engine = engine
        self.shards = shards
        self.timeout = timeout
        self.n_fetch = n_fetch
        self.n_push = n_push
        self.wire = wire
        self.overlap = overlap

    @training
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        eval_set: tuple[Any, Any] | None = None,
        *,
        classes: ArrayLike | None = None,
        resume_from: "StrPath | SlideClassifier | None" = None,
        reservoir: int = 0,
    ) -> Self:
        """Train a new model with several workers, or go on with such a training from a checkpoint.

        Parameters
        ----------
        X : `hashslide.data.Pack`, or sparse matrix, array-like or data frame of shape (n, n_features)
            What is no pack is written to one in the folder of temporary files (``TMPDIR``) first.
        y, eval_set, classes, reservoir
            As in `SlideClassifier.fit`.
        sample_weight : None
            Packs have no weights.
        resume_from : path-like, optional
            The folder of a `Checkpoint` in a fit with the same parameters and data, whatever the number of
            workers was. It may still be empty.

        Returns
        -------
        self

        Raises
        ------
        InputError
            An argument or parameter is not acceptable, or a package is missing; the model is then unchanged,
            and no worker has been started.
        WorkerError
            A worker has died, or does not answer in time. All others have ended; the model is unchanged.
        KeyboardInterrupt
            On Ctrl-C; all workers have ended, and the model is unchanged.
        """
        check_parameters(self)
        check_int("reservoir", reservoir, 0, MAX_IDS)
        if sample_weight is not None:
            raise InputError("sample_weight is given, but several workers train on a pack, which has none.")
        checkpoint = self._checkpoint(resume_from)
        with tempfile.TemporaryDirectory(prefix="hashslide-fit-") as name:
            folder = Path(name)
            examples = self._packed(folder, X, y, classes)
            job = Job(
                pack=examples.pack,
                output=folder / "model.hashslide",
                parameters=self._parameters(),
                protocol=self.protocol,
                shards=self.shards,
                timeout=self.timeout,
                n_fetch=self.n_fetch,
                n_push=self.n_push,
                wire=self.wire,
                overlap=self.overlap,
                eval_set=_encoded(eval_set, examples.labels),
                checkpoint=None if checkpoint is None else as_path(checkpoint.folder).absolute(),
                checkpoint_every="5min" if checkpoint is None else checkpoint.every,
                checkpoint_keep=2 if checkpoint is None else checkpoint.keep,
                resume=resume_from is not None,
                optimizer_state=True,
                reservoir=reservoir,
                show="lines" if self.verbose else "nothing",
            )
            history = start(job, self.workers, self.engine, self.n_jobs)
            self._take(SlideClassifier.load(job.output), X, examples, history)
        return self

    def tune(self, X: Any, y: Any = None, *arguments: Any, **options: Any) -> Self:
        """Refuse to search: each trial would start the workers anew.

        Raises
        ------
        InputError
            Always. Search with `SlideClassifier` on a part of the data, and take over its parameters.
        """
        raise InputError(
            "a search would start the workers for each trial. Search with SlideClassifier(...).tune on a "
            "part of the data, and give its parameters to this classifier."
        )

    def _parameters(self) -> dict[str, Any]:
        """Return what the workers are told of the parameters; a drawn seed is the same for all of them."""
        parameters = {name: getattr(self, name) for name in PARAMETERS if name not in _OF_PROCESSES}
        if not isinstance(self.random_state, int | np.integer):
            parameters["random_state"] = draw_seed(self.random_state)
        return parameters

    def _checkpoint(self, resume_from: Any) -> Checkpoint | None:
        """Return where checkpoints go; other callbacks cannot see what happens in other processes."""
        given: list[Checkpoint] = []
        for callback in self.callbacks or ():
            if not isinstance(callback, Checkpoint) or given:
                raise InputError(
                    f"the callback {callback!r} cannot follow the workers, which are other processes; "
                    "accepted is one Checkpoint. verbose=1 shows the progress."
                )
            given.append(callback)
        own = given[0] if given else None
        if resume_from is None:
            return own
        if not isinstance(resume_from, SlideClassifier):
            folder = as_path(resume_from)
            if own is None and folder.is_dir():
                return Checkpoint(folder)
            if own is not None and as_path(own.folder).absolute() == folder.absolute():
                return own
        raise InputError(
            f"resume_from is {resume_from!r}; accepted is the folder of a Checkpoint of such a fit: that in "
            "callbacks, where there is one."
        )

    def _packed(self, folder: Path, X: Any, y: Any, classes: ArrayLike | None) -> _Examples:
        if isinstance(X, Pack):
            _, labels = examples_of(X, y, None, classes, verify=False)
            return _Examples(X.path.absolute(), labels, X.multilabel, None)
        x, target, _ = check_examples(self, X, y, None)
        labels = LabelNames.learn(target, classes)
        encoded = labels.encode(target, classes)
        own: Any = encoded if target.multilabel else encoded.indices
        pack = Pack.build([(x, own)], folder / "examples.pack")
        if pack.n_labels != labels.n:
            raise InputError(
                f"classes holds {labels.n} names, the last of which have no example, with one class for each "
                "example. Leave out the classes without examples."
            )
        return _Examples(pack.path, labels, target.multilabel, target.dense_dtype)

    def _take(
        self, trained: SlideClassifier, X: Any, examples: _Examples, history: list[dict[str, Any]]
    ) -> None:
        """Become the classifier that the workers have trained."""
        fitted = {
            name: value
            for name, value in vars(trained).items()
            if name not in PARAMETERS and name != "_model_lock"
        }
        fitted["history_"] = history
        fitted["_labels"], fitted["classes_"] = examples.labels, examples.labels.array()
        fitted["multilabel_"], fitted["_dense_dtype"] = examples.multilabel, examples.dense_dtype

        def change() -> None:
            own = self.get_params(deep=False).keys() | {"_model_lock"}
            for name in vars(self).keys() - own:
                del self.__dict__[name]
            fitted["network_"].share_lock(self._lock)
            self.__dict__.update(fitted)
            if not isinstance(X, Pack):
                note_features(self, X)

        unbroken(self._lock, change)


def _encoded(eval_set: Any, labels: LabelNames) -> Any:
    """Return an evaluation set with labels by number, in the order in which the workers know them."""
    if not isinstance(eval_set, tuple | list) or len(eval_set) != 2:
        return eval_set  # None, or what the check of the job refuses
    x = as_csr(eval_set[0], name="eval_set X")
    y = labels.encode(labels.parse(eval_set[1]), drop_unknown=True)
    return x.to_scipy(), y.to_scipy()


def _joined_signature() -> inspect.Signature:
    """Return the parameters of both classes, for scikit-learn, which reads them there."""
    own = inspect.signature(DistributedSlideClassifier.__init__)
    inherited = inspect.signature(SlideClassifier.__init__).parameters
    kept = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    names = {parameter.name for parameter in kept}
    return own.replace(parameters=[*kept, *(p for name, p in inherited.items() if name not in names)])


DistributedSlideClassifier.__init__.__signature__ = _joined_signature()  # type: ignore[attr-defined]
