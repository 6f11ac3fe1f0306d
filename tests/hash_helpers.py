"""Hash families written in Python, for the tests."""

import numpy as np


class Signs:
    """Signs of random projections: SimHash in a few lines, with the documented protocol."""

    def __init__(self, n_tables=4, bits=5, seed=0):
        self.n_tables, self.bits, self.seed = n_tables, bits, seed
        self.n_buckets = 2**bits

    def draw(self, round):
        """Forget the functions; those of this round are drawn when the width is known."""
        self.round = round

    def hash(self, vectors):
        """Return the bucket of each vector in each table, (n, n_tables)."""
        rng = np.random.default_rng([self.seed, self.round])
        planes = rng.normal(size=(vectors.shape[1], self.n_tables * self.bits))
        signs = (vectors @ planes > 0).reshape(len(vectors), self.n_tables, self.bits)
        return signs @ (1 << np.arange(self.bits))

    def probe(self, queries, probes):
        """Return the bucket of each query and no further ones, (n, n_tables, probes)."""
        best = np.full((len(queries), self.n_tables, probes), -1)
        best[:, :, 0] = self.hash(queries)
        return best
