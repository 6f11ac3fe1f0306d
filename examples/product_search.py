"""Product search: which of tens of thousands of products does a query mean?

The products are Debian's packages. Their names are the labels; the texts are their short descriptions, their
sections and the parts of their names. On a Debian machine the first of these commands lists the packages:

    apt-cache dumpavail > Packages
    python examples/product_search.py Packages

Without a file, a dozen products stand in.
"""

import re
import sys
from collections.abc import Iterable, Iterator

import numpy as np

from hashslide import SlideClassifier, SlideTextClassifier, TextFeatures

QUERIES = ["real time stratgy game", "convert pdf to text", "red shoes", "パズル", "play chess"]
SHOP = {
    "red-shoes": "red running shoes for the road",
    "blue-shoes": "blue suede shoes, hardly worn",
    "boots": "winter boots of leather",
    "red-wine": "red wine of Rioja, dry",
    "white-wine": "white wine of Alsace, sweet",
    "chess": "chess board of olive wood: play at home",
    "strategy": "strategy game for two, real time",
    "puzzle": "パズル a puzzle of 1,000 pieces",
    "reader": "reader of PDF files: convert pages to text",
    "lamp": "desk lamp with warm light",
    "tea": "green tea 緑茶 from Uji",
    "mug": "mug for tea and coffee ☕",
}
TYPO_EVERY = 7  # letters


def main(path: str | None = None) -> None:
    products = dict(packages(path)) if path else SHOP
    names, texts = list(products), list(products.values())
    model = SlideTextClassifier(
        SlideClassifier(128, random_state=0), TextFeatures(words=2, characters=(3, 4)), keep_examples=1
    ).fit(texts, names)
    print(f"{len(model.classes_):,} products, {model.features_.n_features_:,} terms")

    rows = np.random.default_rng(0).permutation(len(names))[:2000]
    asked = [mistyped(texts[row]) for row in rows]
    found, _ = model.predict_topk(asked, k=min(10, len(names)))
    meant = np.array(names)[rows, None]
    print(f"of mistyped descriptions found first {(found[:, :1] == meant).mean():.3f}", end=", ")
    print(f"among ten {(found == meant).any(axis=1).mean():.3f}")

    for query in QUERIES:
        (best,), _ = model.predict_topk([query], k=3)
        print(f"\n{query}")
        for name, (kept,) in zip(best, model.examples_of(best), strict=True):
            print(f"  {name}: {kept}")


def packages(path: str) -> Iterator[tuple[str, str]]:
    """Yield each package's name, and its text."""
    with open(path, encoding="utf8") as lines:
        for fields in stanzas(lines):
            name = fields["Package"]
            about = fields.get("Description", fields.get("Description-en", ""))
            yield name, f"{about} {' '.join(re.findall('[a-z]+|[0-9]+', name))} {fields.get('Section', '')}"


def stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Yield the fields of each paragraph, the first line of each."""
    fields: dict[str, str] = {}
    for line in lines:
        if line == "\n" and fields:
            yield fields
            fields = {}
        elif line[0] not in " \n":
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    if fields:
        yield fields


def mistyped(text: str) -> str:
    """Swap two letters here and there."""
    letters = list(text)
    for at in range(TYPO_EVERY, len(letters) - 1, TYPO_EVERY):
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
    return "".join(letters)


if __name__ == "__main__":
    main(*sys.argv[1:2])
