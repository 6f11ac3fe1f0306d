"""Rare labels: measure whether they are found, and weigh them.

python examples/rare_labels.py
"""

from hashslide import SlideClassifier, data, metrics

ROWS = 27_268
SHOWN = ("P@1", "P@5", "PSP@5", "coverage@5")


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    X, Y = mesh.X_train[:ROWS], mesh.Y_train[:ROWS]
    propensity = metrics.propensity(Y.sum(axis=0).A1, n=Y.shape[0])
    print(f"{'label_weight':14}", *(f"{name:>10}" for name in SHOWN))
    for label_weight in (None, "propensity"):
        model = SlideClassifier(label_weight=label_weight, random_state=0).fit(X, Y)
        labels = model.predict_topk(mesh.X_test, k=5)[0]
        found = metrics.summary(mesh.Y_test, labels, ks=(1, 5), propensity=propensity)
        print(f"{label_weight or 'none':14}", *(f"{found[name]:10.3f}" for name in SHOWN))


if __name__ == "__main__":
    main()
