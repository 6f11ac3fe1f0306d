"""napkinXC's probabilistic label tree with its defaults: balanced hierarchical k-means, exact search."""

from __future__ import annotations

from napkinxc.models import PLT
from scipy.sparse import csr_matrix

from . import Options
from .napkinxc_common import fit_in_folder, freeze, predict_topk

__all__ = ["fit", "freeze", "predict_topk"]


def fit(data: tuple[csr_matrix, csr_matrix], options: Options) -> PLT:
    """Train from the CSR matrices (X, Y)."""
    return fit_in_folder(PLT, data, threads=options.threads, seed=options.seed)
