"""One label of many: which of thousands of classes does an example belong to?

The class of an abstract is here the most common one of its subject headings.

python examples/one_label_of_many.py
"""

import numpy as np
from scipy.sparse import csr_matrix

from hashslide import SlideClassifier, data

ROWS = 10_000


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    counts = mesh.Y_train.sum(axis=0).A1
    X, y = mesh.X_train[:ROWS], mesh.label_names[most_common(mesh.Y_train[:ROWS], counts)]
    X_test, y_test = mesh.X_test, mesh.label_names[most_common(mesh.Y_test, counts)]

    model = SlideClassifier(128, random_state=0).fit(X, y)
    print(f"{len(model.classes_):,} classes, accuracy {model.score(X_test, y_test):.3f}")
    common = np.unique(y, return_counts=True)[1].max() / len(y)
    print(f"always the most common class: {common:.3f}")

    classes, probabilities = model.predict_topk(X_test[:3], k=3, probabilities=True)
    for truth, found, chances in zip(y_test, classes, probabilities, strict=False):
        shown = ", ".join(f"{name} {chance:.2f}" for name, chance in zip(found, chances, strict=True))
        print(f"{truth}: {shown}")


def most_common(Y: csr_matrix, counts: np.ndarray) -> np.ndarray:
    """Return the label of each row that occurs most often in the training data."""
    return np.array([row.indices[np.argmax(counts[row.indices])] for row in Y])


if __name__ == "__main__":
    main()
