"""What does one call of `partial_fit` with one example cost, whatever the number of labels?

    python -m benchmarks.speed.one_example                          10⁴, 10⁵ and 10⁶ labels with names
    python -m benchmarks.speed.one_example --labels 1000 --calls 10

Examples of 20 of 50,000 features and 3 labels are generated. Prints the median of a call for each number of
labels, with candidate lists and without, and its ratio to that of the fewest labels. Predicting examples
before they are learned (`drift_`) is spread over the calls, so that most have none: the mean includes it.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy import sparse

from hashslide import SlideClassifier

N_EXAMPLES, N_FEATURES, ENTRIES, OWN_LABELS = 20_000, 50_000, 20, 3


def seconds_of_calls(n_labels: int, approximate: bool, n_calls: int) -> np.ndarray:
    """Return the seconds of calls of `partial_fit` with one example each.

    Parameters
    ----------
    n_labels
    approximate
        Whether the model has candidate lists.
    n_calls
    """
    rng = np.random.default_rng(0)
    density = ENTRIES / N_FEATURES
    X = sparse.random(N_EXAMPLES, N_FEATURES, density, "csr", np.float32, random_state=rng)
    y = [[f"label {i}" for i in set(row)] for row in rng.integers(0, n_labels, (N_EXAMPLES, OWN_LABELS))]
    y[0] = [f"label {i}" for i in range(n_labels)]
    model = SlideClassifier(epochs=1, approximate=approximate, random_state=0).fit(X, y)
    found = []
    for i in range(n_calls + 1):
        start = time.perf_counter()
        model.partial_fit(X[i], [y[i + 1]])
        found.append(time.perf_counter() - start)
    return np.array(found[1:])  # the first one makes room


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--labels", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--calls", type=int, default=300)
    options = parser.parse_args()
    print(f"{'labels':>10}  {'candidates':>10}  {'median ms':>9}  {'mean ms':>8}  {'ratio':>6}")
    for approximate in (True, False):
        first = None
        for n_labels in options.labels:
            seconds = seconds_of_calls(n_labels, approximate, options.calls)
            median, mean = 1000 * np.median(seconds), 1000 * seconds.mean()
            first = first or median
            kind = "yes" if approximate else "no"
            print(
                f"{n_labels:>10,}  {kind:>10}  {median:>9.2f}  {mean:>8.2f}  {median / first:>6.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
