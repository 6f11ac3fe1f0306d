"""Amounts of terms as amounts of the words that people see."""

from collections.abc import Iterable, Sequence

__all__ = ["by_word"]


def __dir__() -> list[str]:
    return __all__


def by_word(amounts: Iterable[tuple[str, float]], words: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Return what each word added, its pieces included, the largest amounts first.

    A piece counts for each word that it stands in, in equal shares. Sequences of words, and pieces that reach
    beyond the words, such as those with a comma, stay by themselves.

    Parameters
    ----------
    amounts : iterable of (name of a term, float)
    words : sequence of str
        The words of the document, named as terms are.
    """
    inner = [(_split(word)[0], f" {_split(word)[1]} ", word) for word in words]
    total: dict[str, float] = {}
    for name, amount in amounts:
        column, term = _split(name)
        homes = [name]
        if term.startswith('"'):
            homes = [word for of, text, word in inner if of == column and term[1:-1] in text] or homes
        for home in homes:
            total[home] = total.get(home, 0.0) + amount / len(homes)
    return tuple(sorted(total.items(), key=lambda told: (-abs(told[1]), '"' in told[0], told[0])))


def _split(name: str) -> tuple[str, str]:
    """Return the column of a term and the term; words and pieces hold no colon with a blank before them."""
    column, colon, term = name.partition(": ")
    return (column, term) if colon and not name.startswith('"') else ("", name)
