"""How texts become features, carried from the file that was loaded to the next one."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide._os_errors import StrPath
from hashslide.errors import ModelFileError

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["TextRecipe"]


def __dir__() -> list[str]:
    return __all__


class TextRecipe(NamedTuple):
    """How texts become the features of a model that was loaded without it: it is only kept for the next file.

    Attributes
    ----------
    arrays, metadata : dict
        As `hashslide.text.recipe` writes them.
    classes : array
        The labels when it was loaded.
    """

    arrays: dict[str, NDArray[Any]]
    metadata: dict[str, Any]
    classes: NDArray[Any]

    def for_file(self, classifier: "SlideClassifier", path: StrPath) -> dict[str, NDArray[Any]]:
        """Return the arrays, if they fit what has become of the classifier."""
        changed = ""
        if classifier.n_features_in_ != self.metadata.get("n_features"):
            changed = "features"
        elif self.metadata.get("keep_examples") and not np.array_equal(classifier.classes_, self.classes):
            changed = "labels"
        if changed:
            raise ModelFileError(
                f"cannot save {path}: this model was one of texts, whose recipe is for other {changed}. Load "
                "it with SlideTextClassifier, change it there, and save that."
            )
        return self.arrays
