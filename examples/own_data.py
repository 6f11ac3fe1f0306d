"""Your own data: from texts, from a table and from a file to a trained model.

python examples/own_data.py
"""

import tempfile
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer

from hashslide import SlideClassifier, data

TEXTS = [
    "Fresh basil, tomatoes and mozzarella on a thin crust",
    "Slowly cooked beans with cumin and chili peppers",
    "Rice, raw salmon and seaweed with soy sauce",
    "Tomatoes, basil and garlic over fresh pasta",
    "Tortilla with beans, rice and chili",
    "Rice bowl with raw tuna and soy beans",
]
TAGS = [["italian"], ["mexican"], ["japanese", "fish"], ["italian"], ["mexican"], ["japanese", "fish"]]
ROWS = 3000


def main() -> None:
    from_texts()
    with tempfile.TemporaryDirectory() as folder:
        from_file(Path(folder) / "train.svm")


def from_texts() -> None:
    """Texts become a sparse matrix of word weights; the labels are lists of names."""
    vectorizer = TfidfVectorizer()
    model = SlideClassifier(random_state=0).fit(vectorizer.fit_transform(TEXTS), TAGS)
    question = "fresh tomatoes with basil"
    labels, scores = model.predict_topk(vectorizer.transform([question]), k=2, probabilities=True)
    for label, score in zip(labels[0], scores[0], strict=True):
        print(f"{question!r}: {label} {score:.2f}")


def from_file(path: Path) -> None:
    """A file in svmlight format, as others write it; a part is held out to measure on."""
    mesh = data.builtin("pubmed-mesh")
    data.save(path, mesh.X_train[:ROWS], mesh.Y_train[:ROWS])

    X, Y = data.load(path)
    for name, fact in list(data.describe(X, Y).items())[:6]:
        print(f"  {name}: {fact}")
    X_train, X_valid, Y_train, Y_valid = data.train_validation_split(X, Y, 0.1, random_state=0)
    model = SlideClassifier(128, random_state=0).fit(X_train, Y_train)
    print(f"P@1 on {X_valid.shape[0]} rows held out: {model.score(X_valid, Y_valid):.3f}")


if __name__ == "__main__":
    main()
