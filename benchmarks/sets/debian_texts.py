"""Build tasks from the dictionaries, the Bible and the file lists of Debian 12.

    python -m benchmarks.sets.debian_texts SOURCES FOLDER

SOURCES holds gcide.dict.dz (of the package dict-gcide), freedict-deu-eng.dict.dz (dict-freedict-deu-eng),
Contents-amd64.gz (dists/bookworm/main of every mirror) and kjv.txt (what `bible -f gen1:1-rev22:21` of the
package bible-kjv writes); what is not there is left out. FOLDER gets a folder for each task, with
train.txt.gz and test.txt.gz in the XMC text format. A random fifth is the test part.

- bible-book: the counts of a verse's words, to its book, one class.
- bible-chapter: a verse's words and word pairs, to its chapter, one class.
- gcide-authors: a quotation, to its author, one class.
- gcide-references: the article of a dictionary, to the articles that it refers to.
- gcide-words: half of the words of a long article, to the other half. It has no test part.
- freedict: the letters of a German word, to the words of its English translation.
- contents: a file's path, to the packages that hold it; a random 15 % of the files.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import MultiLabelBinarizer

from hashslide.data import save_xmc

SEED = 1
SHARE_OF_FILES = 0.15
FREQUENT_WORDS = slice(30, 15_030)  # of gcide-words, without the most frequent ones
FEWEST_WORDS = 40  # of an article in gcide-words
WORD = r"[^\W_]+"
SMALL_WORDS = {"to", "a", "of", "the", "sth", "sb"}
Task = tuple[Sequence[str], Sequence[list[str]], CountVectorizer]


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a gzipped file (.dz is one)."""
    with gzip.open(path, "rt", encoding="utf8", errors="replace") as lines:
        yield from lines


def words_and_pairs(**settings: bool) -> TfidfVectorizer:
    """Return the usual features of texts."""
    return TfidfVectorizer(token_pattern=WORD, ngram_range=(1, 2), min_df=2, dtype=np.float32, **settings)


def verses(path: Path) -> list[tuple[str, str]]:
    """Return the chapter, such as Ge1, and the text of each verse."""
    with open(path, encoding="utf8") as lines:
        numbered = (line.rstrip("\n").partition(" ") for line in lines)
        return [(number.partition(":")[0], text) for number, _, text in numbered]


def bible_book(sources: Path) -> Task:
    """Return verses and their books."""
    found = verses(sources / "kjv.txt")
    books = [[chapter.rstrip("0123456789")] for chapter, _ in found]
    return [text for _, text in found], books, CountVectorizer(token_pattern=WORD, dtype=np.float32)


def bible_chapter(sources: Path) -> Task:
    """Return verses and their chapters."""
    found = verses(sources / "kjv.txt")
    return [text for _, text in found], [[chapter] for chapter, _ in found], words_and_pairs()


def articles(sources: Path) -> Iterator[str]:
    """Yield the articles of the dictionary, whose first lines are not indented."""
    article: list[str] = []
    for line in lines_of(sources / "gcide.dict.dz"):
        if line[0] not in " \n" and article:
            yield "".join(article)
            article = []
        article.append(line)
    yield "".join(article)


def gcide_references(sources: Path) -> Task:
    """Return articles without the titles of others, and these titles."""
    title = re.compile(r"\{([^{}]+)\}")
    found = [article.replace("\n", " ") for article in articles(sources)]
    titles = [[" ".join(name.lower().split()) for name in title.findall(article)] for article in found]
    texts = [title.sub(" ", article) for article in found]
    return *not_single(texts, titles), words_and_pairs(sublinear_tf=True)


def gcide_authors(sources: Path) -> Task:
    """Return what stands before the names of authors, and these."""
    quotation = re.compile(r"((?:[^\n]+\n)*?[^\n]*)--([A-Z][A-Za-z. ]+?)\.?\n")
    found = [match for article in articles(sources) for match in quotation.finditer(article)]
    texts, authors = [match[1] for match in found], [[match[2].strip()] for match in found]
    return *not_single(texts, authors), words_and_pairs(sublinear_tf=True)


def not_single(texts: list[str], labels: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Leave out labels that occur once, and texts without any."""
    counts = Counter(label for some in labels for label in some)
    kept = [[label for label in some if counts[label] > 1] for some in labels]
    return [text for text, some in zip(texts, kept, strict=True) if some], [some for some in kept if some]


def freedict(sources: Path) -> Task:
    """Return German words and the words of their translations."""
    aside = re.compile(r"<[^>]*>|\[[^\]]*\]|\([^)]*\)")
    entry = re.compile(r"(?m)^(\S.*?) /.*\n(\S.*)$")
    text = "".join(lines_of(sources / "freedict-deu-eng.dict.dz"))
    pairs = (match.groups() for match in entry.finditer(text))
    found = [
        (
            word.lower(),
            [w for w in re.findall("[a-z]+", aside.sub(" ", english).lower()) if w not in SMALL_WORDS],
        )
        for word, english in pairs
    ]
    whole = [(word, english) for word, english in found if english]
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=2, dtype=np.float32)
    return [word for word, _ in whole], [english for _, english in whole], letters


def contents(sources: Path) -> Task:
    """Return paths and the packages that hold them."""
    chance = np.random.default_rng(SEED)
    split = (line.rstrip("\n").rpartition(" ") for line in lines_of(sources / "Contents-amd64.gz"))
    found = [(path.strip(), packages) for path, _, packages in split if chance.random() < SHARE_OF_FILES]

    def parts(path: str) -> list[str]:
        *folders, name = path.split("/")
        return [f"folder:{folder}" for folder in folders] + re.findall("[A-Za-z]+|[0-9]+", name)

    packages = [[package.rpartition("/")[2] for package in some.split(",")] for _, some in found]
    features = TfidfVectorizer(analyzer=parts, min_df=2, dtype=np.float32)
    return [path for path, _ in found], packages, features


def build(task: Task, folder: Path) -> None:
    """Write the two files of a task."""
    texts, labels, features = task
    order = np.random.default_rng(SEED).permutation(len(texts))
    n_test = len(order) // 5
    binarizer = MultiLabelBinarizer(sparse_output=True)
    known: set[str] = set()
    folder.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", order[n_test:]), ("test", order[:n_test])):
        some = [texts[i] for i in rows]
        X = features.fit_transform(some) if part == "train" else features.transform(some)
        if part == "train":
            known = {label for i in rows for label in labels[i]}
            binarizer.fit([sorted(known)])
        Y = binarizer.transform([known.intersection(labels[i]) for i in rows])
        has_labels = np.diff(Y.indptr) > 0
        write(folder / f"{part}.txt.gz", X[has_labels], Y[has_labels])


def build_words(sources: Path, folder: Path) -> None:
    """Write the task of the other half of the words."""
    counts = CountVectorizer(token_pattern=WORD, dtype=np.float32, binary=True)
    X = counts.fit_transform(articles(sources)).tocsr()
    X = X[:, np.argsort(-np.bincount(X.indices), kind="stable")[FREQUENT_WORDS]]
    X = X[np.diff(X.indptr) >= FEWEST_WORDS].tocoo()
    is_given = np.random.default_rng(SEED).random(X.nnz) < 0.5
    given, other = (
        csr_matrix((X.data[side], (X.row[side], X.col[side])), X.shape) for side in (is_given, ~is_given)
    )
    is_whole = (np.diff(given.indptr) > 0) & (np.diff(other.indptr) > 0)
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "train.txt.gz", given[is_whole], other[is_whole])


def write(path: Path, X: csr_matrix, Y: csr_matrix) -> None:
    """Write one file, and say how large it is."""
    save_xmc(path, X, Y)
    print(f"{path}: {X.shape[0]:,} points, {X.shape[1]:,} features, {Y.shape[1]:,} labels", flush=True)


TASKS: dict[str, tuple[str, Callable[[Path], Task]]] = {
    "bible-book": ("kjv.txt", bible_book),
    "bible-chapter": ("kjv.txt", bible_chapter),
    "gcide-authors": ("gcide.dict.dz", gcide_authors),
    "gcide-references": ("gcide.dict.dz", gcide_references),
    "freedict": ("freedict-deu-eng.dict.dz", freedict),
    "contents": ("Contents-amd64.gz", contents),
}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", type=Path, metavar="SOURCES")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    for name, (source, task) in TASKS.items():
        if (arguments.sources / source).exists():
            build(task(arguments.sources), arguments.folder / name)
    if (arguments.sources / "gcide.dict.dz").exists():
        build_words(arguments.sources, arguments.folder / "gcide-words")


if __name__ == "__main__":
    main()
