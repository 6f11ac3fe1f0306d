"""Tuning: early stopping, a grid of settings scored by P@5, and a plot of the training.

python examples/tuning.py
"""

import tempfile
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV, ShuffleSplit

from hashslide import EarlyStopping, SlideClassifier, data, metrics

ROWS = 4000


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    X, Y = mesh.X_train[:ROWS], mesh.Y_train[:ROWS]

    search = GridSearchCV(
        SlideClassifier(64, epochs=4, approximate=False, random_state=0),
        {"input_dropout": [0.0, 0.2], "label_weight": [None, "propensity"]},
        scoring={name: metrics.scorer(name) for name in ("P@5", "PSP@5")},
        refit="P@5",
        cv=ShuffleSplit(1, test_size=0.2, random_state=0),
    ).fit(X, Y)
    table = search.cv_results_
    for settings, precision, scored in zip(
        table["params"], table["mean_test_P@5"], table["mean_test_PSP@5"], strict=True
    ):
        print(f"P@5 {precision:.3f}  PSP@5 {scored:.3f}  {settings}")

    model = SlideClassifier(64, epochs=20, early_stopping=EarlyStopping(patience=2), random_state=0)
    model.set_params(**search.best_params_).fit(X, Y)
    print(f"stopped after {model.n_iter_} epochs, best {max(e['val_nDCG@5'] for e in model.history_):.3f}")
    print(f"P@1 on the test part {np.round(model.score(mesh.X_test, mesh.Y_test), 3)}")

    picture = Path(tempfile.mkdtemp()) / "training.png"
    model.plot_history(x="seconds").figure.savefig(picture)
    print(f"wrote {picture}")


if __name__ == "__main__":
    main()
