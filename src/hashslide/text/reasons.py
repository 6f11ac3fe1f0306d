"""Amounts of terms as amounts of the words that people see."""

from collections.abc import Iterable, Sequence

__all__ = ["by_word"]


def __dir__() -> list[str]:
    return __all__


def by_word(amounts: Iterable[tuple[str, float]], words: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Return what each word added, its pieces included, the largest amounts first.

    A piece counts for each word that it stands in, in equal shares. Sequences of words, and pieces that reach
    beyond the words, such as those with a comma, stay by themselves. O(characters * lengths of pieces).

    Parameters
    ----------
    amounts : iterable of (name of a term, float)
    words : sequence of str
        The words of the document, named as terms are.
    """
    named = list(amounts)
    homes = _words_of_pieces((name for name, _ in named), words)
    total: dict[str, float] = {}
    for name, amount in named:
        own = homes.get(name) or [name]
        for home in own:
            total[home] = total.get(home, 0.0) + amount / len(own)
    return tuple(sorted(total.items(), key=lambda told: (-abs(told[1]), '"' in told[0], told[0])))


def _words_of_pieces(names: Iterable[str], words: Sequence[str]) -> dict[str, list[str]]:
    """Return the words that each piece stands in, by its name."""
    found: dict[tuple[str, str], list[str]] = {
        (column, term[1:-1]): [] for column, term in map(_split, names) if term.startswith('"')
    }
    lengths = {len(piece) for _, piece in found}
    for word in words:
        column, text = _split(word)
        text = f" {text} "
        for n in lengths:
            for piece in {text[i : i + n] for i in range(len(text) - n + 1)}:
                if (column, piece) in found:
                    found[column, piece].append(word)
    return {f'{column}: "{piece}"' if column else f'"{piece}"': own for (column, piece), own in found.items()}


def _split(name: str) -> tuple[str, str]:
    """Return the column of a term and the term, which holds no colon unless it is in quotes."""
    column, colon, term = name.partition(": ")
    return (column, term) if colon and not name.startswith('"') else ("", name)
