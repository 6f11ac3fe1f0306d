"""hashslide in a minute: from the words of biomedical abstracts to their subject headings.

The data come with the package: 27,268 abstracts to train on, 3,040 to test on, 28,551 words, 11,336 headings.
"""

from pathlib import Path

import numpy as np

from hashslide import SlideClassifier
from hashslide.data import Dataset, builtin
from hashslide.metrics import precision_at_k

MODEL = Path("demo.hashslide")
NEXT = """
Try next
  hashslide serve {model}                     a page on which you search these headings
  hashslide train pubmed-mesh -o mesh.hashslide      the same from the command line
  echo "insulin glucose rats" | hashslide predict mesh.hashslide --by-name
  hashslide train YOUR-DATA.svm -o yours.hashslide   your own data; formats: hashslide data convert --help
(The command is .venv/bin/hashslide after `make demo`.)"""


def main() -> None:
    mesh = builtin("pubmed-mesh")

    # X is a sparse matrix of word weights, Y a sparse 0/1 matrix with one column for each heading.
    model = SlideClassifier(random_state=0, verbose=1)
    model.fit(mesh.X_train, mesh.Y_train, classes=mesh.label_names)
    model.feature_names_in_ = mesh.feature_names  # so that the saved model can be asked in words

    topk, scores = model.predict_topk(mesh.X_test, k=5, probabilities=True)
    for k in (1, 3, 5):
        score = precision_at_k(mesh.Y_test, topk, k, classes=model.classes_)
        print(f"P@{k} on the test abstracts: {score:.3f}")
    long_abstracts = np.flatnonzero(np.diff(mesh.X_test.indptr) > 100)
    for row in long_abstracts[:3]:
        show(mesh, row, topk[row], scores[row])

    model.save(MODEL, optimizer_state=False)
    same = SlideClassifier.load(MODEL).predict_topk(mesh.X_test, k=5)[0]
    size = MODEL.stat().st_size / 1e6
    print(f"\nSaved {MODEL}, {size:.0f} MB, loaded again: the same predictions? {np.array_equal(same, topk)}")
    print(NEXT.format(model=MODEL))


def show(mesh: Dataset, row: int, labels: np.ndarray, scores: np.ndarray) -> None:
    """Print the heaviest words of an abstract, its predicted headings (+: true) and the true ones."""
    words, truth = mesh.X_test[row], mesh.label_names[mesh.Y_test[row].indices]
    heaviest = words.indices[np.argsort(-words.data)[:10]]
    print(f"\nwords      {', '.join(mesh.feature_names[heaviest])}")
    for label, score in zip(labels, scores, strict=True):
        print(f"predicted  {score:.2f} {'+' if label in truth else ' '} {label}")
    print(f"true       {'; '.join(truth)}")


if __name__ == "__main__":
    main()
