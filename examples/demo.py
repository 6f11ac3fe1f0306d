"""hashslide in a minute: from the words of biomedical abstracts to their subject headings.

The data come with the package: 27,268 abstracts to train on, 3,040 to test on, 28,551 words, 11,336 headings.
"""

import tempfile
from pathlib import Path

import numpy as np

from hashslide import SlideClassifier
from hashslide.data import Dataset, builtin
from hashslide.metrics import precision_at_k

NEXT = """
Try next
  hashslide train pubmed-mesh -o mesh.hashslide      the same from the command line
  echo "insulin glucose rats" | hashslide predict mesh.hashslide --by-name
  hashslide train YOUR-DATA.svm -o yours.hashslide   your own data; formats: hashslide data convert --help
(The command is .venv/bin/hashslide after `make demo`.)"""


def main() -> None:
    mesh = builtin("pubmed-mesh")

    # X is a sparse matrix of word weights, Y a sparse 0/1 matrix with one column for each heading.
    model = SlideClassifier(random_state=0, verbose=1)
    model.fit(mesh.X_train, mesh.Y_train)

    topk, scores = model.predict_topk(mesh.X_test, k=5, probabilities=True)
    for k in (1, 3, 5):
        print(f"P@{k} on the test abstracts: {precision_at_k(mesh.Y_test, topk, k):.3f}")
    long_abstracts = np.flatnonzero(np.diff(mesh.X_test.indptr) > 100)
    for row in long_abstracts[:3]:
        show(mesh, row, topk[row], scores[row])

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mesh.hashslide"
        model.save(path)
        same = SlideClassifier.load(path).predict_topk(mesh.X_test, k=5)[0]
        size = path.stat().st_size / 1e6
        print(f"\nSaved {size:.0f} MB, loaded again: the same predictions? {np.array_equal(same, topk)}")
    print(NEXT)


def show(mesh: Dataset, row: int, labels: np.ndarray, scores: np.ndarray) -> None:
    """Print the heaviest words of an abstract, its predicted headings (+: true) and the true ones."""
    words, truth = mesh.X_test[row], mesh.Y_test[row].indices
    heaviest = words.indices[np.argsort(-words.data)[:10]]
    print(f"\nwords      {', '.join(mesh.feature_names[heaviest])}")
    for label, score in zip(labels, scores, strict=True):
        print(f"predicted  {score:.2f} {'+' if label in truth else ' '} {mesh.label_names[label]}")
    print(f"true       {'; '.join(mesh.label_names[truth])}")


if __name__ == "__main__":
    main()
