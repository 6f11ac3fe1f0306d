"""Build a set of dense features with several labels: embeddings of WordNet's glosses, to their hypernyms.

    python -m benchmarks.sets.gloss_embeddings FOLDER TARGET

The texts and MiniLM, whose 384 averaged activations are the features, are those of `heads.minilm`, which
fetches them into FOLDER. TARGET gets train.txt.gz and test.txt.gz in the XMC text format.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_matrix

from hashslide.data import save_xmc

from ..heads.sets import glosses
from ..heads.trunks import minilm

ROWS = {"train": 24_000, "test": 6_000}  # at random
BATCH = 128


def embedded(network: torch.nn.Module, pieces: np.ndarray) -> np.ndarray:
    """Return MiniLM's embeddings of texts, float32 (n, 384)."""
    with torch.inference_mode():
        batches = (torch.from_numpy(pieces[i : i + BATCH]).long() for i in range(0, len(pieces), BATCH))
        return np.concatenate([network(batch).numpy() for batch in batches])


def main() -> None:
    """Write the set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="for what is fetched")
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    options.target.mkdir(parents=True, exist_ok=True)
    network = minilm(glosses.model(options.folder)).eval()
    used = None
    for name, part in zip(ROWS, glosses.load(options.folder), strict=True):
        rows = np.random.default_rng(0).permutation(len(part.texts))[: ROWS[name]]
        Y = csr_matrix(part.Y)[rows]
        used = np.flatnonzero(Y.getnnz(axis=0)) if used is None else used
        X = csr_matrix(embedded(network, part.pieces[rows]))
        save_xmc(options.target / f"{name}.txt.gz", X, Y[:, used])


if __name__ == "__main__":
    main()
