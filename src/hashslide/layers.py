"""Short forms of hidden layers, for `SlideClassifier(hidden=...)` and `Network`.

Each returns a `Layer`, or a list of them, for use in a sequence:
``hidden=[Hashed(1000, 50), *LowRank(1000, 64)]``.
"""

from hashslide._checks import check_choice
from hashslide.selection import LOOK_UPS, Layer, Selection

__all__ = ["AdaptiveDropout", "Dense", "Dropout", "Hashed", "Layer", "LowRank", "Selection", "WinnerTakeAll"]


def Dense(width: int, activation: str = "relu") -> Layer:
    """All neurons for every example."""
    return Layer(width, activation)


# Of hidden layers, which are small: before their tables are built they have no active neuron at all.
TABLES = {"hash": "simhash", "rehash_first": 1, "rehash_every": 20}


def Hashed(
    width: int, budget: int, activation: str = "relu", *, winners: int = 0, sampler: str = "top", **selection
) -> Layer:
    """At most `budget` neurons for each example, found in hash tables (Spring & Shrivastava, KDD 2017).

    Parameters
    ----------
    width : int
    budget : int
    activation : {"relu", "tanh", "identity"}
    winners : int
        Of these, so many of largest activation stay active; 0: all. Computing some more than are kept,
        forward only, makes up for what the look-ups misjudge.
    sampler : {"top", "vanilla", "threshold", "scored"}
    **selection
        Further fields of `Selection`: hash ("simhash" by default), tables, hashes, probes, ...

    Returns
    -------
    Layer
    """
    check_choice("sampler", sampler, LOOK_UPS)
    return Layer(
        width, activation, Selection(sampler=sampler, budget=budget, **TABLES | selection), winners=winners
    )


def Dropout(width: int, budget: int, activation: str = "relu") -> Layer:
    """`budget` random draws, with replacement, for each example in training; all neurons in predictions."""
    return Layer(width, activation, Selection(sampler="uniform", budget=budget))


def AdaptiveDropout(width: int, alpha: float = 1.0, beta: float = 0.0, activation: str = "relu") -> Layer:
    """Each neuron with probability ``sigmoid(alpha z + beta)``, z its input (Ba & Frey, NeurIPS 2013)."""
    return Layer(width, activation, Selection(sampler="standout", alpha=alpha, beta=beta))


def WinnerTakeAll(width: int, budget: int, activation: str = "relu") -> Layer:
    """The `budget` neurons of largest input, found by computing all of them."""
    return Layer(width, activation, Selection(sampler="exact", budget=budget))


def LowRank(width: int, rank: int, activation: str = "relu") -> list[Layer]:
    """A dense layer with weights W = U V of the given rank: two layers, the first linear."""
    return [Layer(rank, "identity"), Layer(width, activation)]
