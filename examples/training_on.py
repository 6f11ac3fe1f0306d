"""Training that goes on: new labels, checkpoints, and an interrupted training that is taken up again.

python examples/training_on.py
"""

import tempfile
from pathlib import Path

import numpy as np

from hashslide import SlideClassifier, data
from hashslide.callbacks import Callback, Checkpoint

ROWS = 6000


class Interruption(Callback):
    """Ends the training after some epochs, as Ctrl-C would."""

    def __init__(self, epochs: int):
        self.epochs = epochs

    def on_epoch_end(self, estimator, context) -> None:
        """Interrupt."""
        if context.logs["epoch"] == self.epochs:
            raise KeyboardInterrupt


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    X, tags = mesh.X_train[:ROWS], data.label_lists(mesh.Y_train[:ROWS], mesh.label_names)
    with tempfile.TemporaryDirectory() as folder:
        interrupted(X, tags, Path(folder))
    new_labels(X, tags)


def interrupted(X, tags, states: Path) -> None:
    """Interrupt a training, and finish it from its last checkpoint."""
    whole = SlideClassifier(64, epochs=4, random_state=0).fit(X, tags)
    model = SlideClassifier(
        64, epochs=4, random_state=0, callbacks=[Checkpoint(states, "1 epoch"), Interruption(2)]
    )
    try:
        model.fit(X, tags)
    except KeyboardInterrupt:
        print(f"interrupted after {model.n_iter_} epochs")

    model = SlideClassifier(64, epochs=4, random_state=0).fit(X, tags, resume_from=states)
    same = np.array_equal(model.predict_topk(X[:500])[1], whole.predict_topk(X[:500])[1])
    print(f"{model.n_iter_} epochs; the same scores as without interruption? {same}")


def new_labels(X, tags) -> None:
    """Train on the first half, then on the second, which has labels that the first lacks."""
    half = len(tags) // 2
    model = SlideClassifier(64, random_state=0).fit(X[:half], tags[:half])
    before = len(model.classes_)
    model.partial_fit(X[half:], tags[half:])
    print(f"{before:,} labels, then {len(model.classes_):,}")


if __name__ == "__main__":
    main()
