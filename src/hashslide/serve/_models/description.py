"""What a model is, as plain values: for programs that want to know what to send, and for the page."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.estimator import SlideClassifier
from hashslide.precision import dtype_name
from hashslide.serve._models.served import ServedModel
from hashslide.settings.chosen import value_text

__all__ = ["describe"]


def __dir__() -> list[str]:
    return __all__


_TOP = 20


def describe(model: ServedModel) -> dict[str, Any]:
    """Return what there is to know of a model, in values that JSON has; O(labels).

    Parameters
    ----------
    model : ServedModel
    """
    classifier, summary = model.classifier, model.summary
    network = classifier.network_
    counts = network.label_counts
    return {
        "name": model.name,
        "version": model.version,
        "file_bytes": summary.file_bytes,
        "written_by": f"hashslide {summary.library_version}",
        "labels": model.n_labels,
        "features": int(classifier.n_features_in_),
        "examples_seen": int(network.n_examples_seen),
        "multilabel": bool(classifier.multilabel_),
        "input": _input(model),
        "approximate": _approximate(model),
        "explains": network.has_ranker,
        "keeps_examples": model.keeps_examples,
        "settings": [
            {"setting": name, "value": value_text(setting.value), "because": setting.reason}
            for name, setting in classifier.settings_.items()
        ],
        "history": [_plain(record) for record in classifier.history_],
        "layers": _layers(classifier),
        "top_labels": _top_labels(classifier.classes_, counts),
        "label_counts": _spread(counts),
        "tensors": [
            {"name": t.name, "dtype": dtype_name(t.dtype), "shape": list(t.shape), "bytes": t.nbytes}
            for t in summary.tensors
        ],
    }


def _input(model: ServedModel) -> dict[str, Any]:
    texts = model.reader.texts
    meaning = {
        "text": "text",
        "words": "names of features, separated by blanks",
        "ids": "id:value of features, separated by blanks",
    }
    forms = [{"form": "string", "meaning": meaning[texts.kind]}]
    if texts.columns:
        forms.append({"form": "text", "meaning": f"an object of the columns {', '.join(texts.columns)}"})
    if texts.kind == "words":
        forms.append({"form": "names", "meaning": "an object from names of features to values"})
    forms.append({"form": "features", "meaning": "an object from numbers of features to values"})
    return {"kind": texts.kind, "columns": list(texts.columns), "forms": forms}


def _approximate(model: ServedModel) -> dict[str, Any]:
    classifier = model.classifier
    if not model.has_candidates:
        chosen = classifier.settings_.get("approximate")
        because = "it has no lists of candidates" if chosen is None else chosen.reason
        return {"available": False, "default": False, "because": because}
    report = classifier.approximate_
    return {
        "available": True,
        "default": classifier.scores_candidates(),
        "because": report.reason
        if hasattr(report, "reason") and report.reason
        else "it has lists of candidates",
    }


def _layers(classifier: SlideClassifier) -> list[dict[str, Any]]:
    config = classifier.network_.config
    hidden = [
        {"layer": f"hidden {i}", "neurons": layer.width, "kind": value_text(layer)}
        for i, layer in enumerate(config.hidden, 1)
    ]
    tables = classifier.network_.table_bytes
    output = {"layer": "output", "neurons": config.n_labels, "kind": f"loss {config.loss}"}
    return [
        *hidden,
        output,
        *(
            {"layer": f"hash tables, {name}", "neurons": None, "kind": f"{size:,} bytes"}
            for name, size in tables.items()
        ),
    ]


def _top_labels(classes: NDArray[Any], counts: NDArray[np.int64]) -> list[dict[str, Any]]:
    n = min(_TOP, len(counts))
    best = np.argpartition(-counts, n - 1)[:n]
    best = best[np.lexsort((best, -counts[best]))]
    return [
        {"label": label, "examples": count}
        for label, count in zip(classes[best].tolist(), counts[best].tolist(), strict=True)
    ]


def _spread(counts: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return how many labels have how many examples, in powers of ten."""
    edges = [0, 1, 10, 100, 1000, 10_000, 100_000, 1_000_000]
    places = np.bincount(np.searchsorted(edges, counts, side="right") - 1, minlength=len(edges))
    uppers = [*(edge - 1 for edge in edges[1:]), None]
    return [
        {"at_least": low, "at_most": high, "labels": int(n)}
        for low, high, n in zip(edges, uppers, places, strict=True)
        if n
    ]


def _plain(record: dict[str, Any]) -> dict[str, float | None]:
    return {name: float(value) if np.isfinite(value) else None for name, value in record.items()}
