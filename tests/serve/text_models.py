"""A model of texts in two columns, ready to answer."""

from hashslide import SlideClassifier, SlideTextClassifier
from hashslide.serve._models import ServedModel
from hashslide.text import TextFeatures

KEPT = 2


def two_columns(data, n=1500):
    """The first words of examples as their titles, all others as their bodies; and their label names."""
    documents, labels = {"title": [], "body": []}, []
    for i in range(n):
        words = data.feature_names[data.X_train[i].indices]
        documents["title"].append(" ".join(words[::3]))
        documents["body"].append(" ".join(words))
        labels.append(data.label_names[data.Y_train[i].indices].tolist())
    return documents, labels


def serve_texts(data, folder) -> tuple[ServedModel, SlideTextClassifier]:
    """Train such a model, save it and load it as a server does."""
    classifier = SlideClassifier(hidden=32, epochs=2, ranker=True, n_jobs=1, random_state=0)
    model = SlideTextClassifier(classifier, TextFeatures(), keep_examples=KEPT)
    model.fit(*two_columns(data))
    model.save(folder / "texts.hashslide", optimizer_state=False)
    served = ServedModel.load(folder / "texts.hashslide", jobs=1)
    served.warm()
    return served, model
