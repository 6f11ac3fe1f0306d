"""Pipelines: from raw text to labels in one object, evaluated and cross-validated.

python examples/pipelines.py
"""

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

from hashslide import SlideClassifier, data, metrics

ROWS = 4000


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    # The data hold the words of each abstract, without their order: good enough for texts to start from.
    texts = [" ".join(mesh.feature_names[row.indices]) for row in mesh.X_train[:ROWS]]
    tags = data.label_lists(mesh.Y_train[:ROWS], mesh.label_names)
    train, test, train_tags, test_tags = train_test_split(texts, tags, test_size=0.2, random_state=0)

    pipeline = make_pipeline(TfidfVectorizer(min_df=2), SlideClassifier(64, random_state=0))
    pipeline.fit(train, train_tags)
    for name in ("P@1", "P@5"):
        print(f"{name} {metrics.scorer(name)(pipeline, test, test_tags):.3f}")

    # The best labels need the last step alone, and what the others make of the texts.
    labels = pipeline[-1].predict_topk(pipeline[:-1].transform(test[:1]), k=3)[0]
    print(f"{test[0][:60]}...: {'; '.join(labels[0])}")

    # A part to measure on after each epoch goes through the same steps first.
    vectorizer = TfidfVectorizer(min_df=2).fit(train)
    classifier = SlideClassifier(64, random_state=0, early_stopping=True)
    evaluation = (vectorizer.transform(test), test_tags)
    classifier.fit(vectorizer.transform(train), train_tags, eval_set=evaluation)
    print(f"{classifier.n_iter_} epochs, by early stopping")

    scores = cross_val_score(pipeline, texts, tags, scoring=metrics.scorer("P@5"), cv=KFold(3))
    print(f"P@5 in three parts: {scores.round(3)}")


if __name__ == "__main__":
    main()
