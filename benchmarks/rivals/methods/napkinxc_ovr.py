"""napkinXC's one-vs-all (binary relevance) with its defaults; its time grows with examples × labels."""

from __future__ import annotations

from napkinxc.models import BR
from scipy.sparse import csr_matrix

from . import Options
from .napkinxc_common import fit_in_folder, freeze, predict_topk

__all__ = ["fit", "freeze", "predict_topk"]


def fit(data: tuple[csr_matrix, csr_matrix], options: Options) -> BR:
    """Train from the CSR matrices (X, Y)."""
    return fit_in_folder(BR, data, threads=options.threads)
