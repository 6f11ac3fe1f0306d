"""Fast prediction: some hundred candidates instead of all labels.

python examples/fast_prediction.py
"""

import time

from hashslide import SlideClassifier, data, metrics

ROWS = 20_000


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    X, Y = mesh.X_train[:ROWS], mesh.Y_train[:ROWS]
    X_train, X_valid, Y_train, Y_valid = data.train_validation_split(X, Y, 0.1, random_state=0)

    model = SlideClassifier(approximate=True, random_state=0)
    model.fit(X_train, Y_train, eval_set=(X_valid, Y_valid))
    report(model, mesh)
    model.tune_approximate(X_valid, Y_valid, k=5, share=0.95)
    print("with 95 % of the exact precision instead of 99 %:")
    report(model, mesh)


def report(model: SlideClassifier, mesh: data.Dataset) -> None:
    """Print precision and time of exact and of approximate prediction."""
    for approximate in (False, True):
        started = time.perf_counter()
        labels = model.predict_topk(mesh.X_test, 5, approximate=approximate)[0]
        microseconds = (time.perf_counter() - started) / mesh.X_test.shape[0] * 1e6
        precision = {k: metrics.precision_at_k(mesh.Y_test, labels, k) for k in (1, 5)}
        kind = "approximate" if approximate else "exact"
        print(f"  {kind:12} P@1 {precision[1]:.3f}  P@5 {precision[5]:.3f}  {microseconds:6.1f} µs a row")


if __name__ == "__main__":
    main()
