"""A model of texts in two columns, which has what the server asks of one."""

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from hashslide import SlideClassifier, model_file
from hashslide.csr import as_csr
from hashslide.serve._models import ServedModel

KEPT = 2


class Columns:
    """Words of each column by themselves."""

    columns_ = ("title", "body")

    def __init__(self, documents):
        self.parts = {name: TfidfVectorizer().fit(documents[name]) for name in self.columns_}

    def transform(self, documents):
        parts = [self.parts[name].transform(documents[name]) for name in self.columns_]
        return sparse.hstack(parts, format="csr", dtype=np.float32)

    def names(self):
        return [
            f"{name}: {word}" for name, part in self.parts.items() for word in part.get_feature_names_out()
        ]


class TextModel:
    """Features, and a classifier that was trained on them."""

    keep_examples = KEPT

    def __init__(self, documents, labels):
        self.features_ = Columns(documents)
        self.classifier_ = SlideClassifier(hidden=32, epochs=2, ranker=True, n_jobs=1, random_state=0)
        self.classifier_.fit(self.features_.transform(documents), labels)
        self._names = self.features_.names()
        self._texts = {}
        for title, own in zip(documents["title"], labels, strict=True):
            for label in own:
                self._texts.setdefault(label, []).append(title)

    def explain(self, documents, labels=None, k=5):
        found = self.classifier_.explain(as_csr(self.features_.transform(documents)), labels, k)
        return [[self._named(one) for one in row] for row in found]

    def _named(self, one):
        features = tuple((self._names[number], amount) for number, amount in one.features)
        return type(one)(one.label, one.score, one.network, one.offset, one.association, features)

    def examples_of(self, labels):
        return [self._texts.get(label, [])[:KEPT] for label in labels]


def two_columns(data, n=1500):
    """The first words of examples as their titles, all others as their bodies; and their label names."""
    documents, labels = {"title": [], "body": []}, []
    for i in range(n):
        words = data.feature_names[data.X_train[i].indices]
        documents["title"].append(" ".join(words[::3]))
        documents["body"].append(" ".join(words))
        labels.append(data.label_names[data.Y_train[i].indices].tolist())
    return documents, labels


def serve_texts(data, folder) -> tuple[ServedModel, TextModel]:
    """Train such a model, and make it ready to answer."""
    model = TextModel(*two_columns(data))
    model.classifier_.save(folder / "texts.hashslide", optimizer_state=False)
    served = ServedModel.of_text(model_file.inspect(folder / "texts.hashslide"), model, jobs=1)
    served.warm()
    return served, model
