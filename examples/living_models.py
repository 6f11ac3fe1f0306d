"""A model that lives on: daily updates, labels that come, are hidden and go, and a record of drift.

python examples/living_models.py
"""

from hashslide import SlideClassifier, data

DAYS = 3


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    X, tags = mesh.X_train, data.label_lists(mesh.Y_train, mesh.label_names)
    half, day = X.shape[0] // 2, X.shape[0] // 10
    model = SlideClassifier(64, epochs=4, random_state=0)
    model.fit(X[:half], tags[:half], reservoir=2000)
    for first in range(half, half + DAYS * day, day):
        today = slice(first, first + day)
        model.partial_fit(X[today], tags[today])  # also learns kept examples once more
        record = model.drift_.records[-1]
        print(f"foreseen: P@1 {record['P@1']:.3f}, unknown labels {record['unknown_labels']:.1%}")
    gone = model.classes_[:5]
    labels, _ = model.hide_labels(gone).predict_topk(mesh.X_test, k=5)
    print("hidden labels predicted:", sum(label in set(gone) for label in labels.ravel()))
    before = len(model.classes_)
    model.forget_labels(gone)
    print("labels forgotten:", before - len(model.classes_))


if __name__ == "__main__":
    main()
