"""What the functions of the head take and return: pytrees of arrays."""

from typing import NamedTuple

from jax import Array

__all__ = ["Rows", "Sample", "Table"]


class Table(NamedTuple):
    """The head's state: parameters, what the optimiser remembers, and what is known of the classes.

    Attributes
    ----------
    weight : float32 array of shape (num_classes, in_features)
    bias : float32 array of shape (num_classes,)
    accumulator : float32 array of shape (num_classes, 2)
        Adagrad's sums of squared gradients of each row of `weight` and of each bias.
    starts : uint32 array of shape (num_classes,), or None
        The frequencies of `counts`: the share of all classes before each one, in units of 2⁻³².
    class_weight : float32 array of shape (num_classes,), or None
    """

    weight: Array
    bias: Array
    accumulator: Array
    starts: Array | None = None
    class_weight: Array | None = None


class Rows(NamedTuple):
    """The gathered rows of a sample, with respect to which the loss is differentiated.

    Attributes
    ----------
    weight : float32 array of shape (A, in_features)
    bias : float32 array of shape (A,)
    """

    weight: Array
    bias: Array


class Labels(NamedTuple):
    """The labels of a batch, without repetitions.

    Attributes
    ----------
    ids : int32 array of shape (N, T)
        Rising in each row; `num_classes` stands where there is no label.
    weight : float32 array of shape (N, T)
        How much each label counts in the loss of its example; 0 where there is none.
    counted : bool array of shape (N,)
        Whether the example is part of the loss.
    invalid : bool array of shape (N,)
        Whether the example has a label that does not exist.
    total : float32 scalar
        What the reduction "mean" divides by; 1 if nothing counts.
    """

    ids: Array
    weight: Array
    counted: Array
    invalid: Array
    total: Array


class Sample(NamedTuple):
    """The classes that a batch is trained on: its own labels and the drawn negatives.

    Its size A depends on the shape of the labels alone; what is not needed is padding.

    Attributes
    ----------
    ids : int32 array of shape (A,)
        Distinct classes, rising; `num_classes` is padding.
    rows : Rows
        Their weights and biases; 0 for padding.
    log_q : float32 array of shape (A,)
        Log of the chance that the class meets an example that does not carry it; infinity: it does not, as
        padding.
    targets : int32 array of shape (N, T)
        Where in the sample the labels of each example are; A where there is none.
    target_log_q : float32 array of shape (N, T)
        Log of the chance that each label would have met its example if it were not its label.
    labels : Labels
    """

    ids: Array
    rows: Rows
    log_q: Array
    targets: Array
    target_log_q: Array
    labels: Labels
