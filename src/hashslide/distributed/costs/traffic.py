"""How many bytes a machine sends in a step, by protocol: the formulas of docs/machines/how_it_works.md."""

from dataclasses import dataclass

from hashslide.distributed.costs.batches import Touched

__all__ = ["PROTOCOLS", "StepSize", "activations", "dense_all_reduce", "gathered_rows", "rows"]


def __dir__() -> list[str]:
    return __all__


PROTOCOLS = ("activations", "rows")
_NUMBER = 4  # bytes of a float32, of an id, of a count in a message
_COUNT_BYTES = 8  # of how often a label occurs
_SOFTMAX_NUMBERS = 3  # of an example: largest logit, sum of the exponentials, weight of the labels
_REPORT_NUMBERS = 3  # of 8 bytes: loss, examples, active labels


@dataclass(frozen=True, kw_only=True)
class StepSize:
    """What a step consists of.

    Attributes
    ----------
    machines : int
        W.
    batch : float
        B: examples of all machines together.
    width : int
        H: units of the hidden layer.
    features, labels : float
        Of an example, on average; of the features those that input dropout leaves.
    feature_rows, label_rows : float
        Rows of the model that the examples of one machine touch, with the drawn labels: t = the sum of both.
    n_features, n_labels : int
        Of the whole model.
    weight_bytes : int
        Of a weight as it is stored: 4, or 2 for bfloat16.
    wire_bytes : float
        Of a number of the activations on the network.
    is_softmax : bool
    shards : int
        V, of which each machine owns V / W.
    """

    machines: int
    batch: float
    width: int
    features: float
    labels: float
    feature_rows: float
    label_rows: float
    n_features: int
    n_labels: int
    weight_bytes: int = 4
    wire_bytes: float = 4
    is_softmax: bool = False
    shards: int = 8

    @classmethod
    def of(cls, touched: Touched, *, machines: int, batch: float, **rest: object) -> "StepSize":
        """Return the size of a step, of which each machine has the same share of the examples."""
        own = batch / machines
        return cls(
            machines=machines,
            batch=batch,
            features=touched.kept * touched.features_per_example,
            labels=touched.labels_per_example,
            feature_rows=touched.feature_rows(own),
            label_rows=touched.label_rows(own),
            n_features=touched.features.most,
            n_labels=touched.labels.most,
            **rest,  # type: ignore[arg-type]
        )

    @property
    def rows(self) -> float:
        """t: rows that the examples of one machine touch."""
        return self.feature_rows + self.label_rows

    @property
    def elsewhere(self) -> float:
        """(W - 1) / W: the share of rows and of examples that another machine has."""
        return (self.machines - 1) / self.machines


def activations(step: StepSize) -> dict[str, float]:
    """Return the bytes that a machine sends to others with the protocol "activations", by purpose.

    Four times numbers of (examples, width): parts of the pre-activations and of the gradients to those who
    have the examples, activations and gradients to those who have the rows. 4 s H B (W - 1) / W, plus ids and
    values.
    """
    own, others = step.batch / step.machines, step.machines - 1
    of_example = 2 * step.features + step.labels
    return {
        "examples": _NUMBER * (others * (3 + 4 * own) + step.elsewhere * own * of_example),
        "activations": 4 * step.wire_bytes * step.width * step.batch * step.elsewhere,
        "partition": _NUMBER * _SOFTMAX_NUMBERS * step.batch * others if step.is_softmax else 0.0,
    }


def rows(step: StepSize) -> dict[str, float]:
    """Return the bytes that a machine sends to others with the protocol "rows", by purpose.

    Copies of rows to those who touch them, and gradients to those who own them: 2 s H t (W - 1) / W, plus
    ids, biases and what is said of a label. Each machine owns as many touched rows as it touches, on average.
    """
    others = step.machines - 1
    far = step.elsewhere * step.rows
    far_labels = step.elsewhere * step.label_rows
    named = _NUMBER * (far + others * 2 * step.shards / step.machines)
    fetched = step.weight_bytes * step.width * far + (_NUMBER + _COUNT_BYTES) * far_labels
    pushed = _NUMBER * (step.width * far + far_labels + others * step.width) + 8 * _REPORT_NUMBERS * others
    return {"rows": named + fetched, "gradients": named + pushed}


def gathered_rows(step: StepSize) -> float:
    """Return the bytes where a machine sends the gradients of its rows to all others: s H t (W - 1)."""
    return (_NUMBER * (step.width + 1) * step.rows) * (step.machines - 1)


def dense_all_reduce(step: StepSize) -> float:
    """Return the bytes where all gradients are added up over all machines: 2 s (W - 1) / W for each number.

    As PyTorch's DistributedDataParallel and BOLT do; Patarasuk & Yuan (2009): no all-reduce sends less.
    """
    numbers = step.width * (step.n_features + step.n_labels) + step.width + step.n_labels
    return 2 * _NUMBER * step.elsewhere * numbers
