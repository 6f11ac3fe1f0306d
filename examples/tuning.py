"""Tuning: a search for settings, early stopping, and a plot of the training.

python examples/tuning.py
"""

import tempfile
from pathlib import Path

from hashslide import EarlyStopping, SlideClassifier, data, metrics

ROWS = 4000
TRIALS = 8  # or give tune(seconds=300): the time that you have


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    X, Y = mesh.X_train[:ROWS], mesh.Y_train[:ROWS]
    score = metrics.scorer("nDCG@5")

    defaults = SlideClassifier(random_state=0).fit(X, Y)
    tuned = SlideClassifier(random_state=0).tune(X, Y, trials=TRIALS)
    for trial in tuned.tuning_.best_first():
        print(trial)
    print(tuned.tuning_.conclusion)
    for name, model in {"defaults": defaults, "tuned": tuned}.items():
        print(f"{name:8}  nDCG@5 on the test part {score(model, mesh.X_test, mesh.Y_test):.4f}")
    print(f"learning_rate: {tuned.settings_['learning_rate']}")

    model = SlideClassifier(64, epochs=20, early_stopping=EarlyStopping(patience=2), random_state=0).fit(X, Y)
    print(f"stopped after {model.n_iter_} epochs, best {max(e['val_nDCG@5'] for e in model.history_):.3f}")

    picture = Path(tempfile.mkdtemp()) / "training.png"
    model.plot_history(x="seconds").figure.savefig(picture)
    print(f"wrote {picture}")


if __name__ == "__main__":
    main()
