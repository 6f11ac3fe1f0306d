"""A classifier of texts: how they become features, and the network over these."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted

from hashslide import model_file
from hashslide._checks import check_bool, check_int
from hashslide._os_errors import StrPath
from hashslide.csr import as_pattern
from hashslide.errors import InputError, ModelFileError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.saving import restore_classifier, save_classifier
from hashslide.living import Drift
from hashslide.model_file.string_table import StringTable
from hashslide.ranking import Explanation
from hashslide.text import reasons
from hashslide.text.documents import Texts, read_documents
from hashslide.text.examples import KeptExamples
from hashslide.text.features import TextFeatures
from hashslide.text.recipe import FEATURES, arrays_of, metadata_of, restore

__all__ = ["SlideTextClassifier"]


def __dir__() -> list[str]:
    return __all__


_EXAMPLES = f"{FEATURES}.examples"


class SlideTextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Classifier of texts for enormous numbers of labels: texts in, names of labels out.

    Parameters
    ----------
    classifier : SlideClassifier, optional
        With the settings of the network; it is copied. By default that with its defaults.
    features : TextFeatures, optional
        How texts become features; it is copied. By default words and pairs of words.
    keep_examples : int, default 0
        So many training texts of each label are kept in the model, to be shown by `examples_of`.

    Attributes
    ----------
    classifier_ : SlideClassifier
        Fitted.
    features_ : TextFeatures
        Fitted.
    classes_ : array of shape (n_labels,)
    table_ : dict of str to str
        How the labels stand in the table that the model was trained on: "labels", their column, and
        "separator". ``hashslide train`` notes it; it is empty otherwise.

    Examples
    --------
    >>> from hashslide import SlideTextClassifier
    >>> texts = ["red running shoes", "blue suede shoes", "red wine", "white wine"]
    >>> model = SlideTextClassifier().fit(texts, ["shoes", "shoes", "drinks", "drinks"])
    >>> model.predict(["green shoes"]).tolist()
    ['shoes']
    """

    _kept: KeptExamples

    def __init__(
        self,
        classifier: SlideClassifier | None = None,
        features: TextFeatures | None = None,
        keep_examples: int = 0,
    ) -> None:
        self.classifier = classifier
        self.features = features
        self.keep_examples = keep_examples

    def fit(
        self,
        documents: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        eval_set: tuple[Any, Any] | None = None,
        *,
        classes: ArrayLike | None = None,
        resume_from: Any = None,
        reservoir: int = 0,
    ) -> Self:
        """Learn the terms of the texts, and train the network.

        Parameters
        ----------
        documents : list of str, dict of such lists, or data frame
            A dict or data frame has one column for each text of a document.
        y, sample_weight, classes
            As in `SlideClassifier.fit`.
        eval_set : (documents, y), optional
            Data whose metrics are recorded after each epoch.
        resume_from : path-like, optional
            The folder of a `hashslide.callbacks.Checkpoint` of ``classifier``, as in `SlideClassifier.fit`;
            the documents are the same.
        reservoir : int, default 0
            Training examples that the model keeps at most, for `partial_fit` to replay.

        Raises
        ------
        InputError
            An argument or parameter is not acceptable; the model is then unchanged.
        """
        classifier, features, texts = *self._parts(), read_documents(documents)
        X = features.fit_transform(texts)
        given = None if eval_set is None else _features_of_pair(features, eval_set)
        classifier.fit(
            X, y, sample_weight, given, classes=classes, resume_from=resume_from, reservoir=reservoir
        )
        self._take(classifier, features, texts, y, classes)
        return self

    def tune(self, documents: Any, y: Any, **options: Any) -> Self:
        """Search for settings of the network that fit the data, then train with the best ones.

        Parameters
        ----------
        documents, y
            As in `fit`.
        **options
            As of `SlideClassifier.tune`.
        """
        classifier, features, texts = *self._parts(), read_documents(documents)
        X = features.fit_transform(texts)
        if options.get("eval_set") is not None:
            options["eval_set"] = _features_of_pair(features, options["eval_set"])
        classifier.tune(X, y, **options)
        self._take(classifier, features, texts, y, options.get("classes"))
        return self

    def partial_fit(
        self,
        documents: Any,
        y: Any,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        replay: float = 4.0,
        decay: float = 0.0,
        reservoir: int | None = None,
    ) -> Self:
        """Train for one more epoch, on these data; the first call learns the terms.

        Later calls know no further terms, unless ``features`` hashes them.

        Parameters
        ----------
        documents
            As in `fit`.
        y, classes, sample_weight, replay, decay, reservoir
            As in `SlideClassifier.partial_fit`.
        """
        is_first = not self.__sklearn_is_fitted__()
        if is_first:
            classifier, features = self._parts()
            texts = read_documents(documents)
            X = features.fit_transform(texts)
            kept = None
        else:
            classifier, features, kept = self.classifier_, self.features_, self._kept
            texts = read_documents(documents, features.columns_)
            X = features.transform(texts)
        classifier.partial_fit(X, y, classes, sample_weight, replay=replay, decay=decay, reservoir=reservoir)
        self._take(classifier, features, texts, y, classes, kept)
        return self

    def add_labels(self, names: Any, documents: Any) -> Self:
        """Add labels that have no example yet, from texts that describe them.

        Parameters
        ----------
        names : sequence of label names
        documents
            As in `fit`: one for each name, such as the name itself.
        """
        self.classifier_.add_labels(names, self._features(documents))
        self._kept.grow(len(self.classes_))
        return self

    def hide_labels(self, names: Any) -> Self:
        """Leave labels out of every prediction, as `SlideClassifier.hide_labels`."""
        self._fitted().hide_labels(names)
        return self

    def unhide_labels(self, names: Any = None) -> Self:
        """Let hidden labels be predicted again; by default all."""
        self._fitted().unhide_labels(names)
        return self

    def forget_labels(self, names: Any) -> Self:
        """Remove labels and everything that is theirs, as `SlideClassifier.forget_labels`, and their texts.

        Terms of the texts stay, also if they are the name of a label.
        """
        check_is_fitted(self, "classifier_")
        is_kept = np.ones(len(self.classes_), bool)
        is_kept[self.classifier_.label_ids(names)] = False
        self.classifier_.forget_labels(names)
        self._kept = self._kept.of_labels(np.flatnonzero(is_kept))
        return self

    def predict_topk(
        self,
        documents: Any,
        k: int = 5,
        probabilities: bool = False,
        approximate: bool | str = "auto",
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return the k best labels of each document and their scores, best first.

        Parameters
        ----------
        documents
            As in `fit`.
        k, probabilities, approximate
            As in `SlideClassifier.predict_topk`.
        """
        return self._fitted().predict_topk(self._features(documents), k, probabilities, approximate)

    def predict(self, documents: Any) -> NDArray[Any] | sparse.csr_matrix:
        """Return what `SlideClassifier.predict` returns."""
        return self._fitted().predict(self._features(documents))

    def predict_proba(self, documents: Any) -> NDArray[np.float64]:
        """Return what `SlideClassifier.predict_proba` returns."""
        return self._fitted().predict_proba(self._features(documents))

    def decision_function(self, documents: Any) -> NDArray[np.float32]:
        """Return what `SlideClassifier.decision_function` returns."""
        return self._fitted().decision_function(self._features(documents))

    def score(self, documents: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of documents whose best label is right."""
        return self._fitted().score(self._features(documents), y, sample_weight)

    def explain(
        self, documents: Any, labels: Any = None, k: int = 5, *, by_word: bool = False
    ) -> list[list[Explanation]]:
        """Return what the scores of some labels are made of, for a few documents: which words spoke for them.

        Parameters
        ----------
        documents
            As in `fit`.
        labels, k
            As in `SlideClassifier.explain`.
        by_word : bool, default False
            Add what pieces of words say to what the words say that they stand in.
        """
        check_is_fitted(self, "classifier_")
        check_bool("by_word", by_word)
        texts = read_documents(documents, self.features_.columns_)
        found = self.classifier_.explain(self.features_.transform(texts), labels, k)
        return [self._with_names(row, texts, i, by_word) for i, row in enumerate(found)]

    def unknown_words(self, documents: Any) -> list[list[str]]:
        """Return the words of each document that the model knows in none of the columns where they stand.

        `TextFeatures.words_of` tells when it knows a word; pieces of the others may still be known.

        Parameters
        ----------
        documents
            As in `fit`.
        """
        check_is_fitted(self, "classifier_")
        texts = read_documents(documents, self.features_.columns_)
        return [_unknown(self.features_.words_of(_document(texts, i))) for i in range(texts.n)]

    def examples_of(self, labels: Sequence[Any] | NDArray[Any]) -> list[list[str]]:
        """Return the training texts that were kept of some labels, at most 200 characters of each.

        Parameters
        ----------
        labels : sequence of label names

        Raises
        ------
        InputError
            A label is not one of the model's.
        """
        check_is_fitted(self, "classifier_")
        return [self._kept.of(label) for label in self.classifier_.label_ids(labels).tolist()]

    def save(self, path: StrPath, optimizer_state: bool = True) -> None:
        """Write the model to a file, atomically: as `SlideClassifier.save`, with the recipe of the features.

        Parameters
        ----------
        path : path-like
        optimizer_state : bool, default True
            False makes a smaller file; `partial_fit` then starts with a fresh optimiser.

        Raises
        ------
        ModelFileError
            The file cannot be written.
        """
        check_is_fitted(self, "classifier_")
        arrays = arrays_of(self.features_)
        if self.keep_examples:
            arrays |= {f"{_EXAMPLES}.{name}": array for name, array in self._kept.arrays().items()}
        recipe = metadata_of(self.features_) | {"keep_examples": self.keep_examples, "table": self.table_}
        save_classifier(
            self.classifier_, path, optimizer_state, more_arrays=arrays, more_metadata={FEATURES: recipe}
        )

    @classmethod
    def load(cls, path: StrPath, mmap: bool = True, verify: bool = False) -> Self:
        """Return the model that `save` wrote.

        Parameters
        ----------
        path : path-like
        mmap, verify : bool
            As of `SlideClassifier.load`.

        Raises
        ------
        ModelFileError
            The file is missing, damaged, or holds a model without a recipe for texts.
        """
        arrays, metadata = model_file.load_model(path, check_bool("mmap", mmap), check_bool("verify", verify))
        recipe = metadata.get(FEATURES)
        if recipe is None:
            raise ModelFileError(
                f"{path} holds no recipe that turns texts into features. Load it with SlideClassifier, "
                "or train a SlideTextClassifier."
            )
        classifier = restore_classifier(SlideClassifier, path, arrays, metadata, verify or not mmap)
        classifier.__dict__.pop("_text_recipe", None)  # it is here
        try:
            features = restore(recipe, arrays)
            if features.n_features_ != classifier.n_features_in_:
                raise InputError(f"{features.n_features_} text features meet {classifier.n_features_in_}")
            table = dict(recipe.get("table", {}))
            if not all(isinstance(text, str) for pair in table.items() for text in pair):
                raise InputError(f"its table is {table!r}")
            kept = check_int("keep_examples", recipe["keep_examples"], 0, 2**31)
            model = cls(clone(classifier), clone(features), kept)
            model._kept = KeptExamples.none()
            if model.keep_examples:
                begin, utf8, offsets = (
                    arrays[f"{_EXAMPLES}.{part}"] for part in ("begin", "utf8", "offsets")
                )
                model._kept = KeptExamples(begin, StringTable(utf8, offsets))
                if model._kept.n_labels != len(classifier.classes_):
                    raise InputError("its kept examples are those of other labels")
            model._kept.grow(len(classifier.classes_))
        except (InputError, KeyError, TypeError, AttributeError, ValueError) as error:
            found = f"{path} has no whole text recipe: {error}".rstrip(".")
            raise ModelFileError(f"{found}. Save the model again.") from error
        model.classifier_, model.features_, model.table_ = classifier, features, table
        return model

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels."""
        return self.classifier_.classes_

    @property
    def hidden_labels_(self) -> NDArray[Any]:
        """Names of the labels that `hide_labels` has hidden."""
        return self.classifier_.hidden_labels_

    @property
    def drift_(self) -> Drift:
        """How well each call of `partial_fit` was foreseen."""
        return self.classifier_.drift_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classifier_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.classifier_tags.multi_label = True
        return tags

    def _parts(self) -> tuple[SlideClassifier, TextFeatures]:
        """Return copies of the parts, untrained."""
        check_int("keep_examples", self.keep_examples, 0, 2**31)
        parts = []
        for name, kind in (("classifier", SlideClassifier), ("features", TextFeatures)):
            given = getattr(self, name)
            if given is not None and not isinstance(given, kind):
                found = f"{name} is a {type(given).__name__}"
                raise InputError(f"{found}; accepted are None and a {kind.__name__}.")
            parts.append(kind() if given is None else clone(given))
        return parts[0], parts[1]

    def _take(
        self,
        classifier: SlideClassifier,
        features: TextFeatures,
        texts: Texts,
        y: Any,
        classes: ArrayLike | None,
        kept: KeptExamples | None = None,
    ) -> None:
        """Take what was trained."""
        is_new, kept = kept is None, KeptExamples.none() if kept is None else kept
        kept.grow(len(classifier.classes_))
        if self.keep_examples:
            labels = as_pattern(classifier.label_matrix(y, classes))
            kept.add(texts.columns[0], labels, self.keep_examples)
        self.classifier_, self.features_, self._kept = classifier, features, kept
        if is_new:
            self.table_: dict[str, str] = {}

    def _fitted(self) -> SlideClassifier:
        check_is_fitted(self, "classifier_")
        return self.classifier_

    def _features(self, documents: Any) -> sparse.csr_matrix:
        return self.features_.transform(documents)

    def _with_names(self, row: list[Explanation], texts: Texts, i: int, by_word: bool) -> list[Explanation]:
        document = _document(texts, i)
        names = self.features_.term_names(document)
        named = [replace(told, features=tuple((names[f], v) for f, v in told.features)) for told in row]
        if not by_word:
            return named
        words = list(self.features_.words_of(document))
        return [replace(told, features=reasons.by_word(told.features, words)) for told in named]


def _document(texts: Texts, i: int) -> Any:
    own = [column[i] for column in texts.columns]
    return dict(zip(texts.names, own, strict=True)) if texts.names else own[0]


def _unknown(words: dict[str, bool]) -> list[str]:
    """Return the words that are unknown in every column, without the names of columns."""
    known = {_bare(word) for word, is_known in words.items() if is_known}
    return [word for word in dict.fromkeys(map(_bare, words)) if word not in known]


def _bare(word: str) -> str:
    return word.rpartition(": ")[2]


def _features_of_pair(features: TextFeatures, eval_set: Any) -> tuple[Any, Any]:
    if not isinstance(eval_set, tuple | list) or len(eval_set) != 2:
        raise InputError(f"eval_set is a {type(eval_set).__name__}; accepted is one pair (documents, y).")
    return features.transform(eval_set[0]), eval_set[1]
