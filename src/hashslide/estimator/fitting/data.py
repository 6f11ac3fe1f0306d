"""What a fit trains on, what it measures itself by, and what it holds out."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from hashslide._checks import is_auto
from hashslide._interface import setting, wording
from hashslide._validation import check_same_rows
from hashslide.csr import Csr, as_pattern
from hashslide.data.pack import Pack
from hashslide.data.pack.order import PackedExamples
from hashslide.errors import InputError
from hashslide.estimator.features import check_features
from hashslide.network import effective_threads
from hashslide.ranking import FEWEST_HELD_OUT, n_held_out
from hashslide.settings import Setting
from hashslide.targets import LabelNames, check_classes
from hashslide.training import Evaluation, Examples, TrainingData

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = [
    "blocks_of",
    "check_eval_set",
    "examples_of",
    "hold_out",
    "hold_out_for_ranker",
    "judges_of",
    "not_both_ways",
    "wants_ranker",
]


def __dir__() -> list[str]:
    return __all__


Judges = tuple[Csr, Csr]  # examples that were held out, x and y


def check_eval_set(
    model: "SlideClassifier", eval_set: Any, labels: LabelNames, n_features: int
) -> Evaluation | None:
    """Return the evaluation of an (X, y) pair."""
    if eval_set is None:
        return None
    if not isinstance(eval_set, tuple | list) or len(eval_set) != 2:
        raise InputError(f"eval_set is a {type(eval_set).__name__}; accepted is one pair (X, y).")
    x, target = check_features(model, eval_set[0], name="eval_set X"), labels.parse(eval_set[1])
    check_same_rows(x.n_rows, target.n_rows, "X and y of eval_set")
    if x.n_columns != n_features:
        raise InputError(
            f"eval_set X has {x.n_columns} features, but X has {n_features}. Give both the same columns."
        )
    return Evaluation(x, labels.encode(target, drop_unknown=True), effective_threads(model.n_jobs))


def hold_out(model: "SlideClassifier", data: Examples, seed: int) -> tuple[Examples, Evaluation]:
    """Return the training data without a random part, and the evaluation of that part."""
    n = len(data.rows)
    n_held_out = max(1, round(model.validation_fraction * n))
    if n_held_out >= n:
        share = setting("validation_fraction", model.validation_fraction)
        other = wording("pass an eval_set", "give other data with --validation")
        raise InputError(f"{share} of n_samples={n} leaves none to train on. Lower it, or {other}.")
    kept, part = data.held_out(min(n_held_out, len(data.sample().rows)), seed)
    return kept, Evaluation(part.x, part.y, effective_threads(model.n_jobs))


def examples_of(
    pack: Pack, y: Any, sample_weight: Any, classes: ArrayLike | None, verify: bool = True
) -> tuple[PackedExamples, LabelNames]:
    """Return the examples of a pack, which is whole as far as `verify` tells, and its labels."""
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise InputError(f"{name} is given beside a pack, which holds the labels. Leave {name} out.")
    if pack.n_labels == 0 or pack.n_features == 0:
        raise InputError(f"{pack.path} has {pack.n_features} features and {pack.n_labels} labels. Add some.")
    if verify:
        pack.verify()
    names = pack.label_names if classes is None else check_classes(classes)
    if (
        names is not None
        and names is not pack.label_names
        and (pack.label_names is not None or len(names) != pack.n_labels)
    ):
        raise InputError(
            f"classes holds {len(names)} names, but the pack has {pack.n_labels} labels"
            f"{'' if pack.label_names is None else ' with names of their own'}. "
            "Name labels without names, one for each."
        )
    return PackedExamples(pack, pack.n_rows), LabelNames(pack.n_labels, names, pack.label_names is not None)


def blocks_of(stream: Iterator[Any], y: Any, sample_weight: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the blocks of a stream, each of which has to be a pair."""
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise InputError(f"{name} is given beside a stream, which yields pairs (X, y). Leave {name} out.")
    for number, block in enumerate(stream):
        if not isinstance(block, tuple | list) or len(block) != 2:
            raise InputError(
                f"block {number} of the stream is a {type(block).__name__}; accepted are pairs (X, y)."
            )
        yield block[0], block[1]


def not_both_ways(wanted: bool | str) -> Setting:
    """Return the setting of `both_ways` for a pack."""
    if not is_auto(wanted) and wanted:
        raise InputError(
            f"{setting('both_ways', True)} needs X and y in memory; a pack is learned one way only. "
            "Leave it out, or pack each example the other way round as well."
        )
    return Setting(False, "it was given" if not is_auto(wanted) else "a pack is learned one way only")


def hold_out_for_ranker(
    given: Mapping[str, Any], data: Examples, evaluate: Evaluation | None, seed: int
) -> tuple[Examples, TrainingData | None]:
    """Return the training data without the examples that decide how much a ranker counts, and these.

    None: no ranker is wanted, or early stopping has examples of its own, which decide that too, or there are
    too few.
    """
    n = n_held_out(len(data.rows))
    if not wants_ranker(given) or _judges_by_stopping(given, evaluate) or n == 0:
        return data, None
    return data.held_out(n, seed)


def judges_of(
    given: Mapping[str, Any], evaluate: Evaluation | None, held_out: TrainingData | None
) -> Judges | None:
    """Return the examples that decide how much a ranker counts; None: it counts as much as the network."""
    if held_out is not None:
        return held_out.x, held_out.y
    if not wants_ranker(given) or evaluate is None or not _judges_by_stopping(given, evaluate):
        return None
    return (evaluate.x, as_pattern(evaluate.y)) if evaluate.x.n_rows >= FEWEST_HELD_OUT else None


def _judges_by_stopping(given: Mapping[str, Any], evaluate: Evaluation | None) -> bool:
    return bool(given["early_stopping"]) and evaluate is not None


def wants_ranker(given: Mapping[str, Any]) -> bool:
    """Tell whether a ranker is to be learned; "auto": not beside the published system."""
    wanted: bool | str = given["ranker"]
    return given["active"] == "per_batch" if is_auto(wanted) else bool(wanted)
