"""Hash families written in Python, for the tests."""

import numpy as np
from scipy.sparse import csr_matrix


def as_sparse(x, seed=0):
    """The (indptr, indices, data) of a matrix, the entries of a row in random order."""
    x = csr_matrix(x)
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
    order = np.lexsort((rng.random(x.nnz), rows))
    return x.indptr.astype(np.int64), x.indices[order].astype(np.int32), x.data[order].astype(np.float32)


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
