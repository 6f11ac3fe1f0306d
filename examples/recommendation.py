"""Recommendation: which items come next in a basket?

The baskets are the subject headings of abstracts, cut at random into what is known and what is to come.

python examples/recommendation.py
"""

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from hashslide import SlideClassifier, data, metrics

ROWS = 15_000
K = 10


def main() -> None:
    mesh = data.builtin("pubmed-mesh")
    known, rest = split(mesh.Y_train[:ROWS], seed=0)
    test, to_come = split(mesh.Y_test, seed=1)

    model = SlideClassifier(128, random_state=0).fit(normalize(known), rest)
    items, _ = model.predict_topk(normalize(test), K, exclude="input")
    popular = np.argsort(-rest.sum(axis=0).A1, kind="stable")[:K]
    everybodys = np.tile(popular, (test.shape[0], 1))
    print(f"R@{K}: model {metrics.recall_at_k(to_come, items, K):.3f}", end=", ")
    print(f"the most popular items {metrics.recall_at_k(to_come, everybodys, K):.3f}")

    names = mesh.label_names
    print(f"\nin the basket: {'; '.join(names[test[0].indices])}")
    print(f"recommended:   {'; '.join(names[items[0, :5]])}")
    print(f"came:          {'; '.join(names[to_come[0].indices])}")


def split(baskets: csr_matrix, seed: int) -> tuple[csr_matrix, csr_matrix]:
    """Cut each basket at random into two."""
    known = baskets.copy()
    known.data = (np.random.default_rng(seed).random(known.nnz) < 0.5).astype(np.float32)
    rest = csr_matrix(baskets - known)
    known.eliminate_zeros()
    rest.eliminate_zeros()
    return known, rest


if __name__ == "__main__":
    main()
