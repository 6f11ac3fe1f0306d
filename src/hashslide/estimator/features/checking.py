"""Features are clean, of the right number, under the right names."""

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import _get_feature_names, validate_data

from hashslide._validation import check_not_empty
from hashslide.csr import Csr, as_csr
from hashslide.errors import InputError

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["check_features", "check_first_names", "check_known_features", "feature_names"]


def __dir__() -> list[str]:
    return __all__


def check_features(model: "SlideClassifier", X: Any, *, name: str = "X") -> Csr:
    """Return features that are not empty and whose names, if they have any, scikit-learn accepts."""
    if not isinstance(X, Csr):  # which has no names
        try:
            _get_feature_names(X)
        except (TypeError, ValueError) as error:
            raise InputError(f"the column names of {name} are not acceptable: {error}") from None
    x = as_csr(X, name=name)
    check_not_empty(x, type(model).__name__, name=name)
    return x


def feature_names(X: Any) -> NDArray[Any] | None:
    """Return the column names of features that `check_features` has accepted; None without any."""
    names: NDArray[Any] | None = _get_feature_names(X)
    return names


def check_known_features(model: "SlideClassifier", X: Any, x: Csr) -> None:
    """Refuse features that are not those of the model."""
    if x.n_columns != model.n_features_in_:
        raise InputError(
            f"X has {x.n_columns} features, "
            f"but {type(model).__name__} is expecting {model.n_features_in_} features "
            "as input. Pass the same columns as in fit."
        )
    if sparse.issparse(X) or isinstance(X, Csr):
        return  # cannot have names; scikit-learn would warn about that
    try:
        validate_data(model, X, reset=False, skip_check_array=True)
    except ValueError as error:
        raise InputError(str(error)) from None


def check_first_names(model: "SlideClassifier", X: Any) -> None:
    """Refuse a wider X whose first columns are not those of the model."""
    known = getattr(model, "feature_names_in_", None)
    if known is None:
        return
    names = list(getattr(X, "columns", []))
    if names[: len(known)] != list(known):
        raise InputError(
            f"X has {len(names)} named features that do not begin with the model's {len(known)}. "
            "Keep the order of the old columns and add new ones behind them."
        )
