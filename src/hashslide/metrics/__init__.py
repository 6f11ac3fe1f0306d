"""Metrics of extreme multi-label classification: relevant labels against the first k predictions.

Common to all functions:

- `Y` holds the relevant labels: a matrix (examples x labels), sparse or dense, in which every value that is
  not 0 is relevant; a list of label lists or sets; or a vector with one class for each example.
- `topk` holds the predictions, best first, shape (examples, columns): what ``predict_topk(X, k)`` returns
  first.
- With a matrix `Y`, predictions are numbers of its columns; or names, if ``classes=model.classes_`` says what
  the columns are called (a data frame says it by itself). With lists or a vector, both sides are names.
- -1, or None among strings, is padding: a place without a prediction, which counts as wrong.
- `k` may exceed the number of labels: the places beyond are wrong. Otherwise `topk` needs k columns.
- The mean goes over all examples. One without a relevant label counts as 0, as in the XMC repository's
  scripts.
- Equal scores were ordered when `topk` was made: `top_k_labels` and the classifier put the smaller id first.
- Memory is proportional to the stored labels and to `topk`.

Definitions: Bhatia et al. 2016, "The extreme classification repository: multi-label datasets and code"; Jain,
Prabhu & Varma 2016, "Extreme multi-label loss functions for recommendation, tagging, ranking & other missing
label applications", KDD.
"""

from ._at_k import (
    coverage_at_k,
    ndcg_at_k,
    precision_at_k,
    psndcg_at_k,
    psp_at_k,
    recall_at_k,
    summary,
)
from ._per_example import check_per_example, per_example
from ._propensities import propensity
from ._scorers import Scorer, scorer
from ._topk import top_k_labels

__all__ = [
    "Scorer",
    "check_per_example",
    "coverage_at_k",
    "ndcg_at_k",
    "per_example",
    "precision_at_k",
    "propensity",
    "psndcg_at_k",
    "psp_at_k",
    "recall_at_k",
    "scorer",
    "summary",
    "top_k_labels",
]


def __dir__() -> list[str]:
    return __all__
