"""Labels that come, are hidden, and go, between trainings."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from hashslide._locks import training
from hashslide._validation import check_same_rows
from hashslide.errors import InputError
from hashslide.estimator._living import add, as_names, forget, hide, unhide
from hashslide.estimator.predictions import Predictions

__all__ = ["LivingLabels"]


def __dir__() -> list[str]:
    return __all__


class LivingLabels(Predictions):
    """The methods of `SlideClassifier` that change which labels the model has, without examples of them."""

    @training
    def add_labels(self, names: Any, X: Any) -> Self:
        """Add labels that have no example yet, from descriptions.

        Each is placed as if its description were its only example; later calls of `partial_fit` train it like
        any other. Approximate prediction finds it.

        Parameters
        ----------
        names : sequence of label names
            Of the kind of `classes_`, and not among them.
        X : sparse matrix, array-like or data frame of shape (number of names, n_features)
            What describes each label in the features of the examples, such as the tf-idf of the words of its
            name.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A name is known already or of another kind, there are not as many rows as names, or a description
            is empty. The model is then unchanged.
        """
        x, wanted = self._features(X), as_names(names)
        check_same_rows(x.n_rows, len(wanted), "X and names")
        bare = np.flatnonzero(np.diff(x.indptr) == 0)
        if len(bare):
            raise InputError(
                f"X has no feature for the label {wanted[bare[0]]!r}, so nothing tells where it belongs. "
                "Describe it, or leave it out until it has examples."
            )
        add(self, wanted, self._standard(x))
        return self

    def hide_labels(self, names: Any) -> Self:
        """Leave labels out of every prediction from now on; they stay in the model, and go on learning.

        Their score is negative infinity and their probability 0. A prediction costs the more, the more labels
        are hidden: `forget_labels` is for those that do not come back.

        Parameters
        ----------
        names : sequence of label names

        Returns
        -------
        self

        Raises
        ------
        InputError
            One is not a label of the model, or none would be left.
        """
        check_is_fitted(self)
        hide(self, self._labels.find(as_names(names)))
        return self

    def unhide_labels(self, names: Any = None) -> Self:
        """Let hidden labels be predicted again.

        Parameters
        ----------
        names : sequence of label names, optional
            By default all that are hidden.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        unhide(self, None if names is None else self._labels.find(as_names(names)))
        return self

    @property
    def hidden_labels_(self) -> NDArray[Any]:
        """Names of the labels that `hide_labels` has hidden."""
        check_is_fitted(self)
        return self.classes_[self._hidden_labels]

    @training
    def forget_labels(self, names: Any) -> Self:
        """Remove labels and everything that is theirs.

        Their weights, the state of the optimiser, names, counts, entries of the ranker and of the candidate
        lists, and kept examples that have no other label are gone from the model and from every file that it
        is saved to. The columns of the others move up: look at `classes_`. Labels without names keep their
        old numbers as names. What the layers below and other labels have learned from the examples stays, and
        so do features of the same name.

        Parameters
        ----------
        names : sequence of label names

        Returns
        -------
        self

        Raises
        ------
        InputError
            One is not a label of the model, or none would be left.
        """
        check_is_fitted(self)
        forget(self, self._labels.find(as_names(names)))
        return self
