"""What keeps a model alive, in its file: hidden labels, kept examples, and the record of drift."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hashslide._checks import check_int
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.estimator.saving.names import RESERVOIR
from hashslide.living import Drift, Reservoir
from hashslide.living.reservoir import check_reservoir

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["living_arrays", "plain_living", "restore_living"]


def __dir__() -> list[str]:
    return __all__


def living_arrays(classifier: "SlideClassifier") -> dict[str, NDArray[Any]]:
    """Return the hidden labels and the kept examples, where there are any."""
    arrays = {}
    if len(classifier._hidden_labels):
        arrays["hidden_labels"] = classifier._hidden_labels
    reservoir = classifier._reservoir
    if reservoir is not None:
        parts = {
            "x.indptr": reservoir.x.indptr,
            "x.indices": reservoir.x.indices,
            "x.data": reservoir.x.values,
            "y.indptr": reservoir.y.indptr,
            "y.indices": reservoir.y.indices,
            "tickets": reservoir.tickets,
        }
        arrays |= {RESERVOIR + name: array for name, array in parts.items()}
    return arrays


def plain_living(classifier: "SlideClassifier") -> dict[str, Any]:
    """Return what belongs to the kept examples, and the record of drift."""
    kept = classifier._reservoir
    return {
        "reservoir": None
        if kept is None
        else {"size": kept.size, "seen": kept.n_seen, "bound": list(kept.bound)},
        "drift": classifier.drift_.to_plain() if hasattr(classifier, "drift_") else None,
    }


def restore_living(
    classifier: "SlideClassifier", arrays: dict[str, NDArray[Any]], metadata: dict[str, Any]
) -> None:
    """Set the hidden labels, the kept examples and the record of drift."""
    n_labels = classifier._labels.n
    hidden = np.array(arrays.get("hidden_labels", np.empty(0, np.int64)))
    is_set = hidden.ndim == 1 and hidden.dtype == np.int64 and bool((np.diff(hidden) > 0).all())
    if not is_set or (len(hidden) and (hidden[0] < 0 or hidden[-1] >= n_labels)) or len(hidden) >= n_labels:
        raise InputError("its hidden labels are not some of its labels in ascending order")
    classifier._hidden_labels, classifier._reservoir = hidden, None
    living = metadata.get("living", {"reservoir": None, "drift": None})
    if living["drift"] is not None:
        classifier.drift_ = Drift.from_plain(living["drift"])
    if living["reservoir"] is not None:
        part = {name.removeprefix(RESERVOIR): a for name, a in arrays.items() if name.startswith(RESERVOIR)}
        x = Csr(part["x.indptr"], part["x.indices"], part["x.data"], classifier.n_features_in_)
        y = Csr(part["y.indptr"], part["y.indices"], None, n_labels)
        numbers = living["reservoir"]
        layer, ticket = (check_int("a bound", bound, 0, 2**63 - 1) for bound in numbers["bound"])
        size, seen = (check_int(name, numbers[name], 0, 2**63 - 1) for name in ("size", "seen"))
        kept = Reservoir(size, x, y, part["tickets"], seen, (layer, ticket))
        classifier._reservoir = check_reservoir(kept, classifier.n_features_in_, n_labels)
