"""SlideHead: an output layer of any number of classes as functions of a table."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from numpy.typing import ArrayLike

from hashslide._checks import check_int
from hashslide._os_errors import StrPath
from hashslide.errors import InputError

from ._checks import (
    check_has_counts,
    check_hidden,
    check_key,
    check_labels,
    check_rate,
    check_rows,
    check_same_batch,
    check_sample,
    check_table,
    read_class_weight,
    read_counts,
)
from ._labels import read_labels
from ._losses import exact_losses, reduce, sampled_losses
from ._sampling import sample_classes
from ._saving import read_table, save_table
from ._settings import HeadSettings, check_settings
from ._state import Rows, Sample, Table
from ._streaming import streamed_top_k
from ._table import new_table, updated

__all__ = ["SlideHead"]


class SlideHead:
    """Output layer that trains on a sample of its classes: a step costs the same with 10⁴ and 10⁸ of them.

    The head holds settings only. Its state is a `Table`, which the functions take and return. A step gathers
    the rows of a sample, differentiates the loss with respect to them, and updates them in place.

    Parameters
    ----------
    in_features : int
        Width of the activations h.
    num_classes : int
        At most 2³¹ − 1.
    loss : {"softmax", "bce"}
        Cross-entropy over all classes, where several labels share the mass equally, or binary cross-entropy
        of each class, summed over the classes.
    negatives : int, default 8192
        Classes drawn for each batch, with replacement. Where it is `num_classes` or more, every class is in
        every sample.
    in_batch : bool, default True
        The labels of the other examples of the batch are negatives too.
    sampling : {"uniform", "frequency"}
        How negatives are drawn; "frequency": one half of them in proportion to `counts`, the other uniformly,
        so that every class has its turn.
    counts : array-like of shape (num_classes,), optional
        How often each class is a label in the training data. With it, the correction knows how likely a
        class is to come with the batch, where it otherwise takes the batch as given; and the biases start at
        the log of the frequencies.
    weight : array-like of shape (num_classes,), optional
        Weight of each class as a label.
    bias : bool, default True
    ignore_index : int, default -100
        Stands where there is no label.
    reduction : {"mean", "sum", "none"}
        "mean" divides by the sum of the weights of the labels for softmax, as PyTorch does, and by the number
        of examples for bce; if no example has a label, the loss is 0.
    initial_accumulator : float > 0, default 0.1
        First value of Adagrad's sums, in units of a squared gradient summed over the batch.
    init_std : float >= 0, default 0.01
        Standard deviation of the first weights.

    Raises
    ------
    InputError
        A setting is of the wrong type or out of its range, or settings do not go together.

    Notes
    -----
    All functions can be traced by `jax.jit` and mapped by `jax.vmap`. Shapes and types are checked when they
    are traced. A label that does not exist raises an error where its value is known, and else makes the loss
    of its example NaN, without harm to the gradient.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from hashslide.jax import SlideHead
    >>> head = SlideHead(4, 1_000_000, negatives=16)
    >>> table = head.init(jax.random.key(0))
    >>> h, y = jnp.ones((2, 4)), jnp.array([3, 999_999])
    >>> sample = head.sample(table, y, jax.random.key(1))
    >>> gradient = jax.grad(lambda rows: head.loss(h, rows, sample))(sample.rows)
    >>> table = head.update(table, sample, gradient, 0.1)
    >>> values, classes = head.top_k(table, h, 2)
    >>> sorted(classes[0].tolist())
    [3, 999999]
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        loss: str = "softmax",
        negatives: int = 8192,
        in_batch: bool = True,
        sampling: str = "uniform",
        counts: ArrayLike | None = None,
        weight: ArrayLike | None = None,
        bias: bool = True,
        ignore_index: int = -100,
        reduction: str = "mean",
        initial_accumulator: float = 0.1,
        init_std: float = 0.01,
    ) -> None:
        self._settings = check_settings(
            in_features,
            num_classes,
            loss=loss,
            negatives=negatives,
            in_batch=in_batch,
            sampling=sampling,
            bias=bias,
            ignore_index=ignore_index,
            reduction=reduction,
            initial_accumulator=initial_accumulator,
            init_std=init_std,
        )
        self._starts = read_counts(counts, self.num_classes)
        self._class_weight = read_class_weight(weight, self.num_classes)
        check_has_counts(self._settings, self._starts)

    def __repr__(self) -> str:
        settings = self._settings._asdict()
        given = [f"{settings.pop('in_features')}, {settings.pop('num_classes')}"]
        given += [f"{name}={value!r}" for name, value in settings.items()]
        given += ["counts=..."] * (self._starts is not None) + ["weight=..."] * (
            self._class_weight is not None
        )
        return f"SlideHead({', '.join(given)})"

    @property
    def in_features(self) -> int:
        """Width of the activations."""
        return self._settings.in_features

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self._settings.num_classes

    def init(self, key: Array) -> Table:
        """Return a new table.

        Parameters
        ----------
        key : key of `jax.random`

        Returns
        -------
        Table
            Small random weights; biases of 0 for softmax and of the log odds of one class among all for bce,
            or with `counts` of those frequencies.
        """
        starts = None if self._starts is None else jnp.asarray(self._starts)
        class_weight = None if self._class_weight is None else jnp.asarray(self._class_weight)
        return _new_table(self._settings, check_key(key), starts, class_weight)

    def sample(self, table: Table, y: ArrayLike, key: Array) -> Sample:
        """Return the classes that a batch is trained on, with their rows.

        The labels of the batch and the negatives, each once. Costs O(A D + A log A) for A classes.

        Parameters
        ----------
        table : Table
        y : int array of shape (N,) or (N, T)
            Labels of the examples; `ignore_index` where there is none. Repetitions in a row count once.
        key : key of `jax.random`
            A new one for each step.

        Returns
        -------
        Sample
            Of min(N T + negatives, num_classes) classes, the last ones perhaps padding.

        Raises
        ------
        InputError
            An argument has the wrong shape or type, or `y` is known to hold a class that does not exist.
        """
        table = self._check_table(table)
        y = check_labels(y, self.num_classes, self._settings.ignore_index)
        return _sample(self._settings, table, y, check_key(key))

    def loss(self, h: ArrayLike, rows: Rows, sample: Sample) -> Array:
        """Return the loss on a sample, to be differentiated with respect to `h` and `rows`.

        Parameters
        ----------
        h : float array of shape (N, in_features)
            Any floating type; sums are float32.
        rows : Rows
            ``sample.rows``.
        sample : Sample

        Returns
        -------
        float32 scalar, or with ``reduction="none"`` array of shape (N,)

        Raises
        ------
        InputError
            An argument has the wrong shape or type.
        """
        h, sample = check_hidden(h, self.in_features), check_sample(sample)
        check_same_batch(len(h), sample)
        return _loss(self._settings, h, check_rows("rows", rows, sample), sample)

    def update(self, table: Table, sample: Sample, gradient: Rows, learning_rate: ArrayLike) -> Table:
        """Return the table after a step of row-wise Adagrad on the rows of a sample.

        With g the gradient of a row summed over the batch: s ← s + mean(g²), w ← w − rate g / √(s₀ + s). Only
        these rows are read and written. The table that is given is donated: its buffers become those of the
        new one, so do not use it afterwards. Inside a function of your own under `jax.jit`, donate its
        argument: ``jax.jit(step, donate_argnums=...)``.

        Parameters
        ----------
        table : Table
        sample : Sample
        gradient : Rows
            Of the loss with respect to ``sample.rows``.
        learning_rate : float or scalar array

        Returns
        -------
        Table

        Raises
        ------
        InputError
            An argument has the wrong shape or type.
        """
        table, sample = self._check_table(table), check_sample(sample)
        gradient, rate = check_rows("gradient", gradient, sample), check_rate(learning_rate)
        return _updated(self._settings, table, sample.ids, sample.labels.total, gradient, rate)

    def exact_loss(self, table: Table, h: ArrayLike, y: ArrayLike) -> Array:
        """Return the loss over all classes.

        It is streamed, and so is its gradient: there are never more than a block of logits. Its gradient with
        respect to the table's weights is dense.

        Parameters
        ----------
        table : Table
        h : float array of shape (N, in_features)
        y : int array of shape (N,) or (N, T)

        Returns
        -------
        float32 scalar, or with ``reduction="none"`` array of shape (N,)

        Raises
        ------
        InputError
            As in `sample` and `loss`.
        """
        table, h = self._check_table(table), check_hidden(h, self.in_features)
        y = check_labels(y, self.num_classes, self._settings.ignore_index)
        if len(y) != len(h):
            raise InputError(f"h has {len(h)} rows, but y has the labels of {len(y)} examples.")
        return _exact_loss(self._settings, table, h, y)

    def top_k(self, table: Table, h: ArrayLike, k: int) -> tuple[Array, Array]:
        """Return the k classes with the largest logits, streamed over blocks of classes.

        Parameters
        ----------
        table : Table
        h : float array of shape (N, in_features)
        k : int
            1 to num_classes.

        Returns
        -------
        values : float32 array of shape (N, k)
            Logits, largest first.
        classes : int32 array of shape (N, k)
            Of equal logits the smaller class comes first.

        Raises
        ------
        InputError
            An argument has the wrong shape or type.
        """
        table, h = self._check_table(table), check_hidden(h, self.in_features)
        return _top_k(h, table.weight, table.bias, check_int("k", k, 1, self.num_classes))

    def save(self, table: Table, path: StrPath, classes: ArrayLike | None = None) -> None:
        """Write a hashslide model file, atomically.

        `SlideClassifier.load`, ``hashslide predict`` and ``hashslide serve`` take it; its features are the
        activations h.

        Parameters
        ----------
        table : Table
        path : path-like
        classes : array-like of shape (num_classes,), optional
            Names of the classes: strings or integers. Default: 0 to num_classes - 1.

        Raises
        ------
        InputError
            `classes` are not as many distinct names, or the table holds NaN or infinity.
        ModelFileError
            The file cannot be written.
        """
        save_table(self._settings, self._check_table(table), path, classes)

    @classmethod
    def load(cls, path: StrPath, **settings: Any) -> "tuple[SlideHead, Table]":
        """Return the head and the table of a hashslide model file; training goes on where it was.

        Parameters
        ----------
        path : path-like
            A file of `save`; or one of any `SlideClassifier`, of which the output layer is taken:
            `in_features` is then the width of its last hidden layer.
        **settings
            Of the head, in place of those in the file, such as ``negatives=1000``.

        Returns
        -------
        head : SlideHead
        table : Table

        Raises
        ------
        InputError
            A setting is not acceptable.
        ModelFileError
            The file is missing, damaged or of another kind.
        """
        kept, arrays = read_table(path)
        counts, weight = settings.pop("counts", None), settings.pop("weight", None)
        head = cls.__new__(cls)
        try:
            head._settings = check_settings(**(kept | settings))
        except TypeError as error:
            raise InputError(f"a SlideHead does not take these settings: {error}.") from None
        n = head.num_classes
        head._starts = arrays.get("starts") if counts is None else read_counts(counts, n)
        head._class_weight = arrays.get("class_weight") if weight is None else read_class_weight(weight, n)
        check_has_counts(head._settings, head._starts)
        own = {"starts": head._starts, "class_weight": head._class_weight}
        arrays |= {name: array for name, array in own.items() if array is not None}
        return head, Table(**{name: jnp.array(array) for name, array in arrays.items()})

    def _check_table(self, table: Any) -> Table:
        return check_table(table, self.in_features, self.num_classes)


_new_table = jax.jit(new_table, static_argnums=0)
_sample = jax.jit(sample_classes, static_argnums=0)
_updated = jax.jit(updated, static_argnums=0, donate_argnums=1)
_top_k = jax.jit(streamed_top_k, static_argnums=3)


@partial(jax.jit, static_argnums=0)
def _loss(settings: HeadSettings, h: Array, rows: Rows, sample: Sample) -> Array:
    return reduce(sampled_losses(settings.loss, h, rows, sample), sample.labels, settings.reduction)


@partial(jax.jit, static_argnums=0)
def _exact_loss(settings: HeadSettings, table: Table, h: Array, y: Array) -> Array:
    labels = read_labels(y, settings.num_classes, settings.ignore_index, settings.loss, table.class_weight)
    losses = exact_losses(settings.loss, h, table.weight, table.bias, labels)
    return reduce(losses, labels, settings.reduction)
