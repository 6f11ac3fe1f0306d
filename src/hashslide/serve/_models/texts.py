"""Texts for models that were trained on texts."""

from collections.abc import Sequence

from hashslide.csr import as_csr
from hashslide.errors import InputError
from hashslide.serve._models.queries import Rows, refuse_columns
from hashslide.text import SlideTextClassifier
from hashslide.text.documents import in_columns

__all__ = ["TextColumns"]


def __dir__() -> list[str]:
    return __all__


class TextColumns:
    """Texts in one column or several, which the model turns into features by itself.

    Parameters
    ----------
    model : SlideTextClassifier
    columns : tuple of str
        Names of the columns; none, where there is a single one without a name.
    """

    kind = "text"

    def __init__(self, model: SlideTextClassifier, columns: tuple[str, ...]) -> None:
        self._model, self.columns = model, columns

    def check(self, text: str | dict[str, str]) -> None:
        """Refuse columns that the model does not have."""
        if not self.columns:
            refuse_columns(text)
        if not isinstance(text, str) and (unknown := sorted(text.keys() - set(self.columns))):
            raise InputError(
                f"the column {unknown[0]!r} is unknown; the model has {', '.join(self.columns)}."
            )

    def read(self, texts: Sequence[str | dict[str, str]]) -> Rows:
        """Return a row for each text, and the words of which it has nothing."""
        documents = self.documents(texts)
        x = as_csr(self._model.features_.transform(documents))
        return Rows(x, self._model.unknown_words(documents))

    def documents(self, texts: Sequence[str | dict[str, str]]) -> list[str] | dict[str, list[str]]:
        """Return texts as the model takes them."""
        return in_columns(texts, self.columns)

    def number(self, name: str) -> int | None:
        """Return None: a text model is asked in texts."""
        return None
