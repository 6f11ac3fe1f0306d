"""A loaded model file, ready to answer."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from hashslide import model_file
from hashslide._os_errors import StrPath, as_path
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.model_file import ModelSummary
from hashslide.serve._models.queries import (
    FeaturesById,
    Query,
    QueryReader,
    Text,
    TextReader,
    WordsByName,
    matrix,
)
from hashslide.serve._models.texts import TextColumns
from hashslide.text import SlideTextClassifier

__all__ = ["Options", "Prediction", "ServedModel"]


def __dir__() -> list[str]:
    return __all__


_WARMING_ROWS = 8  # so many that exact prediction prepares its 8-bit copies


class Options(NamedTuple):
    """What is wanted of a prediction; as in `SlideClassifier.predict_topk`, but for the last two.

    Attributes
    ----------
    k : int
    probabilities : bool
    approximate : {"auto", True, False}
    exclude_input : bool
    explain : int
        How many features are told that spoke for each label.
    examples : int
        How many training texts are told for each label.
    """

    k: int = 5
    probabilities: bool = True
    approximate: bool | str = "auto"
    exclude_input: bool = False
    explain: int = 0
    examples: int = 0


@dataclass(slots=True)
class Prediction:
    """The answer to one query.

    Attributes
    ----------
    labels : list of dict
        "label" and "score", best first; "why" and "examples" where they were asked for.
    n_features : int
        Features that the query has.
    unknown : list of str
        Words or features of it that the model does not know.
    """

    labels: list[dict[str, Any]]
    n_features: int
    unknown: list[str] = field(default_factory=list)


class ServedModel:
    """A model with what turns queries into its features.

    Parameters
    ----------
    summary : ModelSummary
        Of the file.
    classifier : SlideClassifier
    texts : TextReader
    text_model : SlideTextClassifier, optional
        The text model that the classifier is a part of.

    Attributes
    ----------
    name : str
        The name of the file without its suffix, as Unicode.
    version : str
        Equal for equal files.
    """

    def __init__(
        self,
        summary: ModelSummary,
        classifier: SlideClassifier,
        texts: TextReader,
        text_model: SlideTextClassifier | None = None,
    ) -> None:
        self.summary, self.classifier, self.text_model = summary, classifier, text_model
        self.name = Path(summary.path).stem.encode("utf-8", "replace").decode()
        self.version = _version(summary)
        self.reader = QueryReader(classifier, texts)
        self.n_labels = len(classifier.classes_)
        self._uses_candidates = bool(classifier.scores_candidates())
        self._needs_all_labels = not classifier.multilabel_ or classifier.network_.config.loss == "softmax"

    @classmethod
    def load(cls, path: StrPath, jobs: int | None = None) -> Self:
        """Return the model of a file, after comparing every byte with the checksums of the file.

        Parameters
        ----------
        path : path-like
        jobs : int, optional
            Threads of each prediction; by default all CPUs granted.

        Raises
        ------
        ModelFileError
            The file is missing, damaged or of another kind.
        """
        summary = model_file.inspect(as_path(path))
        verify = summary.checksums is not None
        if summary.metadata.get("text") is not None:
            return cls._of_text(summary, SlideTextClassifier.load(path, verify=verify), jobs)
        classifier = SlideClassifier.load(path, verify=verify).set_params(n_jobs=jobs)
        names = getattr(classifier, "feature_names_in_", None)
        n_features = int(classifier.n_features_in_)
        texts: TextReader = FeaturesById(n_features) if names is None else WordsByName(names, n_features)
        return cls(summary, classifier, texts)

    @classmethod
    def _of_text(cls, summary: ModelSummary, model: SlideTextClassifier, jobs: int | None) -> Self:
        model.classifier_.set_params(n_jobs=jobs)
        model.features_.set_params(n_jobs=jobs)
        return cls(summary, model.classifier_, TextColumns(model, model.features_.columns_), model)

    def warm(self) -> None:
        """Prepare what the first predictions would have to prepare, on this thread alone.

        A process that does so before it forks shares that memory with its children.
        """
        jobs = self.classifier.n_jobs
        self.classifier.set_params(n_jobs=1)
        nothing = self._empty_rows(_WARMING_ROWS)
        for approximate in {False, self.classifier.scores_candidates()}:
            self.classifier.predict_topk(nothing, k=1, approximate=approximate)
        self.classifier.set_params(n_jobs=jobs)

    @property
    def has_candidates(self) -> bool:
        """Whether the model can be asked for an approximate prediction."""
        return self.classifier.network_.has_candidates

    def scores_candidates(self, options: Options) -> bool:
        """Tell whether an answer scores only candidates."""
        if options.approximate == "auto" and options.probabilities and self._needs_all_labels:
            return False
        return bool(options.approximate) and self._uses_candidates

    @property
    def keeps_examples(self) -> bool:
        """Whether the model has training texts to show for its labels."""
        return self.text_model is not None and self.text_model.keep_examples > 0

    def _empty_rows(self, n: int) -> Csr:
        return matrix([{}] * n, int(self.classifier.n_features_in_))

    def check(self, options: Options) -> None:
        """Refuse options that the model does not have.

        Raises
        ------
        InputError
        """
        if options.approximate is True and not self.has_candidates:
            raise InputError(
                "approximate prediction needs lists of candidates, and this model has none. Leave "
                "'approximate' out, or train the model with --approximate yes."
            )
        if options.exclude_input and not self._can_exclude_input:
            raise InputError(
                "the labels and the features of this model are not the same things, so that there is nothing "
                "to exclude. Leave 'exclude' out."
            )

    @property
    def _can_exclude_input(self) -> bool:
        try:
            self.classifier.excluded_labels(self._empty_rows(1))
        except InputError:
            return False
        return True

    def answer(self, queries: Sequence[Query], options: Options) -> list[Prediction]:
        """Return the best labels of each query."""
        x, unknown = self.reader.read(queries)
        classifier = self.classifier
        labels, scores = classifier.predict_topk(
            x,
            options.k,
            probabilities=options.probabilities,
            approximate=options.approximate,
            exclude="input" if options.exclude_input else None,
        )
        nothing = 0.0 if options.probabilities else -math.inf  # the score where no label is left
        is_any_left_out = options.exclude_input or len(classifier.hidden_labels_) > 0
        counts = np.diff(x.indptr).tolist()
        answers = []
        for row, ranked in enumerate(zip(labels.tolist(), scores.tolist(), strict=True)):
            found = [
                {"label": label, "score": score}
                for label, score in zip(*ranked, strict=True)
                if not is_any_left_out or score > nothing
            ]
            answers.append(Prediction(found, counts[row], unknown[row]))
            if options.explain and found:
                self._explain(queries[row], x.block(row, row + 1), found, options.explain)
            if options.examples and found and self.text_model is not None and self.keeps_examples:
                kept = self.text_model.examples_of([each["label"] for each in found])
                for each, texts in zip(found, kept, strict=True):
                    each["examples"] = list(texts[: options.examples])
        return answers

    def _explain(self, query: Query, row: Csr, found: list[dict[str, Any]], n: int) -> None:
        """Tell which features spoke for each label."""
        labels = [each["label"] for each in found]
        texts = self.reader.texts
        if self.text_model is not None and isinstance(query, Text) and isinstance(texts, TextColumns):
            (explained,) = self.text_model.explain(texts.documents([query.text]), labels=labels, by_word=True)
        else:
            (explained,) = self.classifier.explain(row, labels=labels)
        for each, parts in zip(found, explained, strict=True):
            for_it = [(feature, amount) for feature, amount in parts.features if amount > 0]
            each["why"] = [{"feature": str(f), "amount": amount} for f, amount in for_it[:n]]


def _version(summary: ModelSummary) -> str:
    sums = summary.checksums or {tensor.name: tensor.nbytes for tensor in summary.tensors}
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()[:12]
