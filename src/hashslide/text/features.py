"""Texts as sparse features."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from hashslide import _core
from hashslide._checks import check_bool, check_float, check_int, is_auto
from hashslide.errors import InputError
from hashslide.model_file.string_table import StringTable
from hashslide.network import effective_threads
from hashslide.settings.limits import MAX_IDS
from hashslide.text.documents import Encoded, Texts, encoded_blocks, read_documents
from hashslide.text.reasons import by_word

__all__ = ["TextFeatures"]


def __dir__() -> list[str]:
    return __all__


FEW_DOCUMENTS = 2_000  # of fewer, "auto" keeps terms of a single document
TERMS_IN_MEMORY = 16  # while they are counted, in multiples of max_terms, but at least:
LEAST_IN_MEMORY = 1 << 20
MOST_WORDS, MOST_LETTERS = 8, 64
SHORT_DOCUMENT = 400  # bytes, on average
SHORT_CHARACTERS = (4, 4)


class TextFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Words, pairs of words and n-grams of characters of texts, weighted by tf-idf.

    Case, width and composition of characters make no difference (NFKC and case folding). A word is a run of
    letters, digits and underscores; an emoji is a word by itself, and so is each letter of scripts that put
    no spaces between words, as Chinese. With the same settings the features equal those of scikit-learn's
    ``TfidfVectorizer`` with ``token_pattern=r"\\w+"`` on texts without such characters (docs/how/text.md).

    Parameters
    ----------
    words : int, default 2
        Longest sequence of words that is a term; 0: none.
    characters : "auto", None or (int, int)
        Shortest and longest n-gram of characters within a word, its ends included, as ``(3, 5)``: they find
        words with typing errors and parts of compounds, and make documents some times as long. "auto":
        ``(4, 4)`` where documents have at most 400 bytes on average, else None.
    min_documents : int or "auto"
        Terms of fewer documents are dropped. "auto": 2, or 1 where there are fewer than 2,000 documents.
    max_terms : int, default 1,000,000
        So many of the most frequent terms are kept.
    hashed : None or int, default None
        The number of features into which terms are hashed, instead of a vocabulary: words that come up later
        have features too, and unrelated terms may share one. 1,048,576 is a good number.
    idf : bool, default True
        Weigh a term by log((1 + n) / (1 + documents that have it)) + 1.
    sublinear : bool, default True
        A term that occurs c times in a document counts 1 + log(c), instead of c.
    column_weights : dict of str to float, optional
        Of columns of texts; those without one weigh 1.
    n_jobs : int, optional
        Threads; None: all CPUs. Changes the speed, never the result.

    Attributes
    ----------
    columns_ : tuple of str
        Names of the columns of texts; empty where documents are single texts.
    n_features_ : int
    n_documents_ : int
        From which it was learned.
    characters_ : None or (int, int)
        What "auto" became.
    """

    _terms: tuple[int, int, int, int]
    _column_weights: NDArray[np.float32]
    _hashes: NDArray[Any] | None
    _slots: NDArray[Any] | None
    _weights: NDArray[Any] | None
    _names: StringTable | None

    def __init__(
        self,
        words: int = 2,
        characters: tuple[int, int] | str | None = "auto",
        min_documents: int | str = "auto",
        max_terms: int = 1_000_000,
        hashed: int | None = None,
        idf: bool = True,
        sublinear: bool = True,
        column_weights: dict[str, float] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.words = words
        self.characters = characters
        self.min_documents = min_documents
        self.max_terms = max_terms
        self.hashed = hashed
        self.idf = idf
        self.sublinear = sublinear
        self.column_weights = column_weights
        self.n_jobs = n_jobs

    def fit(self, documents: Any, y: Any = None) -> Self:
        """Learn which terms there are, and in how many documents.

        Parameters
        ----------
        documents : list of str, dict of such lists, or data frame
            A dict or data frame has one column for each text of a document, with terms of its own.
        y : ignored

        Raises
        ------
        InputError
            A setting is not acceptable, or something is no text.
        """
        self._learn(read_documents(documents))
        return self

    def fit_transform(self, documents: Any, y: Any = None) -> sparse.csr_matrix:
        """Return the features of the documents from which they are learned.

        Parameters
        ----------
        documents, y
            As in `fit`.
        """
        blocks = self._learn(read_documents(documents))
        return self._matrix([self._features(block) for block in blocks])

    def transform(self, documents: Any) -> sparse.csr_matrix:
        """Return the features of documents, float32 rows of length 1 or 0, with ``n_features_`` columns.

        Parameters
        ----------
        documents
            As in `fit`; of a dict or data frame the columns that were learned.
        """
        check_is_fitted(self, "n_features_")
        texts = read_documents(documents, self.columns_)
        return self._matrix([self._features(block) for block in encoded_blocks(texts)])

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the terms: words, and characters in quotes; of several columns with their names before them.

        Raises
        ------
        InputError
            Terms were hashed, so that features have no names.
        """
        check_is_fitted(self, "n_features_")
        if self._names is None:
            raise InputError("hashed terms have no names. Use hashed=None, or term_names for one document.")
        return self._names.all()

    def term_names(self, document: Any) -> dict[int, str]:
        """Return the terms of one document that have a feature, by feature.

        Parameters
        ----------
        document : str, or mapping of column names to str
        """
        block = self._read_one(document)
        hashes, features = _core.document_terms(
            self._settings, block.utf8, block.offsets, self.n_features_, self._slots, self._hashes
        )
        return dict(zip(features.tolist(), self._named(block, 0, hashes), strict=True))

    def words_of(self, document: Any) -> dict[str, bool]:
        """Return the words of one document, named as terms are, and whether the model knows each of them.

        It knows a word that is a term; where no words are terms, one with a piece that is a term.

        Parameters
        ----------
        document : str, or mapping of column names to str
        """
        block = self._read_one(document)
        of_words = _core.TermSettings(max(1, len(self.columns_)), 1, 0, 0)
        hashes, _ = _core.document_terms(of_words, block.utf8, block.offsets, MAX_IDS, None, None)
        words = self._named(block, 0, hashes, of_words)
        if self._hashes is None:
            return dict.fromkeys(words, True)
        if self.words == 0:
            pieces = [(name, 1.0) for name in self.term_names(document).values()]
            known = {word for word, _ in by_word(pieces, words)}
        else:
            found, _ = _core.document_terms(
                of_words, block.utf8, block.offsets, self.n_features_, self._slots, self._hashes
            )
            known = set(self._named(block, 0, found, of_words))
        return {word: word in known for word in words}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags

    def _read_one(self, document: Any) -> Encoded:
        check_is_fitted(self, "n_features_")
        column_texts = {c: [t] for c, t in document.items()} if hasattr(document, "items") else [document]
        (block,) = encoded_blocks(read_documents(column_texts, self.columns_))
        return block

    def _learn(self, texts: Texts) -> list[Encoded]:
        """Learn the terms, or change nothing; return the documents as they were read."""
        before = dict(self.__dict__)
        try:
            return self._learn_terms(texts)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _learn_terms(self, texts: Texts) -> list[Encoded]:
        if texts.n == 0:
            raise InputError("there are no documents to learn from. Give one at least.")
        _checked(self, texts.names, None)  # before anything is read
        threads, blocks = effective_threads(self.n_jobs), list(encoded_blocks(texts))
        max_terms = self._prepare(texts.names, _characters(self.characters, blocks, texts.n))
        self.n_documents_ = texts.n
        if self.hashed is not None:
            self.n_features_ = check_int("hashed", self.hashed, 1, MAX_IDS)
            counts = np.zeros(self.n_features_, np.int64)
            for block in blocks:
                np.add.at(counts, self._features(block).indices, 1)
        else:
            counter = _core.TermCounter(self._settings, max(LEAST_IN_MEMORY, TERMS_IN_MEMORY * max_terms))
            for block in blocks:
                counter.add(self._settings, block.utf8, block.offsets, threads)
            least = (
                int(self.min_documents) if not is_auto(self.min_documents) else 1 + (texts.n >= FEW_DOCUMENTS)
            )
            hashes, counts, first = counter.frequent(least, max_terms)
            if len(hashes) == 0:
                raise InputError(
                    f"no term is in {least} of the {texts.n:,} documents. Lower min_documents, or look at "
                    "the texts."
                )
            self.n_features_, self._hashes, self._slots = len(hashes), hashes, _core.term_slots(hashes)
            self._names = StringTable.of(self._all_names(blocks, hashes, first))
        if self.idf:
            self._weights = (np.log((1 + texts.n) / (1 + counts)) + 1).astype(np.float32)
        return blocks

    @property
    def _settings(self) -> _core.TermSettings:
        return _core.TermSettings(*self._terms)

    def _prepare(self, columns: tuple[str, ...], characters: tuple[int, int] | None) -> int:
        """Take the settings for some columns; return the most terms."""
        checked = _checked(self, columns, characters)
        self.columns_, self.characters_ = columns, characters
        self._terms, self._column_weights = checked["terms"], checked["column_weights"]
        self._hashes = self._slots = self._names = self._weights = None
        return int(checked["max_terms"])

    def _features(self, block: Encoded) -> sparse.csr_matrix:
        indptr, indices, data = _core.text_features(
            self._settings,
            block.utf8,
            block.offsets,
            self.n_features_,
            self._slots,
            self._hashes,
            self._weights,
            self._column_weights,
            self.sublinear,
            True,
            effective_threads(self.n_jobs),
        )
        return sparse.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, self.n_features_))

    def _matrix(self, blocks: list[sparse.csr_matrix]) -> sparse.csr_matrix:
        if not blocks:
            return sparse.csr_matrix((0, self.n_features_), dtype=np.float32)
        return blocks[0] if len(blocks) == 1 else sparse.vstack(blocks, format="csr", dtype=np.float32)

    def _all_names(
        self, blocks: list[Encoded], hashes: NDArray[Any], first: NDArray[np.int64]
    ) -> NDArray[np.object_]:
        """Return the names of all terms, from the documents that have them first."""
        names = np.empty(len(first), object)
        order = np.argsort(first, kind="stable")
        starts = np.cumsum([0] + [(len(block.offsets) - 1) // max(1, len(self.columns_)) for block in blocks])
        bounds = np.flatnonzero(np.diff(first[order], prepend=-1, append=-1))
        for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            features = order[begin:end]
            document = int(first[features[0]])
            block = int(np.searchsorted(starts, document, "right")) - 1
            names[features] = self._named(blocks[block], document - int(starts[block]), hashes[features])
        return names

    def _named(
        self,
        block: Encoded,
        document: int,
        hashes: NDArray[np.uint64],
        settings: _core.TermSettings | None = None,
    ) -> list[str]:
        settings = self._settings if settings is None else settings
        named = _core.term_names(settings, block.utf8, block.offsets, document, hashes)
        if len(self.columns_) < 2:
            return [name for name, _ in named]
        return [f"{self.columns_[column]}: {name}" for name, column in named]


def _characters(
    given: tuple[int, int] | str | None, blocks: list[Encoded], n_documents: int
) -> tuple[int, int] | None:
    """Return the lengths of n-grams of characters."""
    if not is_auto(given):
        return given if given is None else (int(given[0]), int(given[1]))
    n_bytes = sum(len(block.utf8) for block in blocks)
    return SHORT_CHARACTERS if n_bytes <= SHORT_DOCUMENT * n_documents else None


def _checked(
    features: TextFeatures, columns: tuple[str, ...], characters: tuple[int, int] | None
) -> dict[str, Any]:
    """Return what the core needs of the settings; `characters` are those that "auto" became.

    Raises
    ------
    InputError
        One is not acceptable.
    """
    words = check_int("words", features.words, 0, MOST_WORDS)
    least, most = 0, 0
    pair = characters if is_auto(features.characters) else features.characters
    if pair is not None:
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(
                f"characters is {pair!r}; accepted are 'auto', None and a pair of lengths, such as (3, 5)."
            )
        least = check_int("the shortest n-gram of characters", pair[0], 1, MOST_LETTERS)
        most = check_int("the longest n-gram of characters", pair[1], least, MOST_LETTERS)
    if words == 0 and features.characters is None:
        raise InputError("words is 0 and characters is None, so that there are no terms. Set one of them.")
    if not is_auto(features.min_documents):
        check_int("min_documents", features.min_documents, 1, MAX_IDS)
    check_bool("idf", features.idf)
    check_bool("sublinear", features.sublinear)
    given = {} if features.column_weights is None else features.column_weights
    if not hasattr(given, "items"):
        raise InputError(
            f"column_weights is {given!r}; accepted are None and a dict of column names to numbers."
        )
    if unknown := [name for name in given if name not in columns]:
        known = ", ".join(map(repr, columns)) if columns else "none, as documents are single texts"
        raise InputError(f"column_weights names the column {unknown[0]!r}; there are {known}.")
    for name, weight in given.items():
        check_float(f"the weight of column {name!r}", weight, 0, 1e6, "[]")
    return {
        "terms": (max(1, len(columns)), words, least, most),
        "max_terms": check_int("max_terms", features.max_terms, 1, MAX_IDS),
        "column_weights": np.array([given.get(name, 1.0) for name in columns or ("",)], np.float32),
    }
