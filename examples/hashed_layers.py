"""Hashed layers: the published system SLIDE, a hashed hidden layer, and a hash family of your own.

python examples/hashed_layers.py
"""

import numpy as np

from hashslide import DWTA, Dense, Hashed, Negatives, SlideClassifier, Vanilla, data

ROWS = 10_000


class Sectors:
    """A family that cuts the circle of two coordinates into sectors, in each table from another angle on."""

    n_tables, n_buckets = 8, 64

    def draw(self, round: int) -> None:
        """Choose two coordinates and an angle for each table."""
        random = np.random.default_rng(round)
        self.coordinates = random.integers(0, 64, (self.n_tables, 2))
        self.turns = random.uniform(0, 1, self.n_tables)

    def hash(self, vectors: np.ndarray) -> np.ndarray:
        """Return the sector of each vector in each table."""
        first, second = (vectors[:, self.coordinates[:, side]] for side in (0, 1))
        turn = (np.arctan2(second, first) / (2 * np.pi) + self.turns) % 1
        return np.minimum((turn * self.n_buckets).astype(np.int64), self.n_buckets - 1)

    def probe(self, queries: np.ndarray, probes: int) -> np.ndarray:
        """Return the vectors' own sectors, then those beside them, nearer ones first."""
        steps = [0, *(sign * step for step in range(1, self.n_buckets // 2) for sign in (1, -1))][:probes]
        return (self.hash(queries)[:, :, None] + steps) % self.n_buckets


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    X, Y = mesh.X_train[:ROWS], mesh.Y_train[:ROWS]
    models = {
        "default, no hashing": SlideClassifier(64, random_state=0),
        "SLIDE": SlideClassifier(64, hash="dwta", active="per_example", random_state=0),
        "the same with other settings": SlideClassifier(
            64,
            hash=DWTA(tables=20, hashes=5),
            sampler=Vanilla(budget=200),
            active="per_example",
            negatives=Negatives(uniform=100),
            random_state=0,
        ),
        "hashed hidden layer": SlideClassifier([Dense(64), Hashed(1000, 100)], random_state=0),
        "a family of one's own": SlideClassifier(64, hash=Sectors(), random_state=0),
    }
    for name, model in models.items():
        model.fit(X, Y)
        active, seconds = model.history_[-1]["active"], sum(epoch["seconds"] for epoch in model.history_)
        score = model.score(mesh.X_test, mesh.Y_test)
        print(f"{name:30} P@1 {score:.3f}  {active:6,.0f} active labels  {seconds:5.1f} s")


if __name__ == "__main__":
    main()
