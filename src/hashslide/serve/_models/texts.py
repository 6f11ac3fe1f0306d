"""Texts for models that were trained on texts."""

from collections.abc import Sequence
from typing import Any

from hashslide.csr import as_csr
from hashslide.errors import InputError
from hashslide.serve._models.queries import Rows

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

    def __init__(self, model: Any, columns: tuple[str, ...]) -> None:
        self._model, self.columns = model, columns

    def check(self, text: str | dict[str, str]) -> None:
        """Refuse columns that the model does not have."""
        if isinstance(text, str):
            return
        if not self.columns:
            raise InputError("this model has no columns of text. Send the text itself, as a string.")
        if unknown := sorted(text.keys() - set(self.columns)):
            raise InputError(
                f"the column {unknown[0]!r} is unknown; the model has {', '.join(self.columns)}."
            )

    def read(self, texts: Sequence[str | dict[str, str]]) -> Rows:
        """Return a row for each text; words that the model does not know have no feature in it."""
        x = as_csr(self._model.features_.transform(self.documents(texts)))
        return Rows(x, [[] for _ in texts])

    def documents(self, texts: Sequence[str | dict[str, str]]) -> list[str] | dict[str, list[str]]:
        """Return texts as the model takes them; a text without columns is one of the first."""
        if not self.columns:
            return [str(text) for text in texts]
        rows = [{self.columns[0]: text} if isinstance(text, str) else text for text in texts]
        return {name: [row.get(name, "") for row in rows] for name in self.columns}

    def number(self, name: str) -> int | None:
        """Return None: a text model is asked in texts."""
        return None
