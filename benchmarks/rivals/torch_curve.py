"""One PyTorch training, evaluated as it goes, in this process alone: ``curves.torch_curve`` starts it.

Reads a job (JSON) from the file named on the command line: "folder" (of ``harness.stored``), "sampled" (the
batch's labels and some uniform ones, or all), "loss" ("softmax" or "bce"), "hidden", "threads", "seed"; it
ends after "epochs", or after "seconds" of training if that is not 0. The learning rate falls linearly over
whichever is shorter. Evaluations do not count as training time; "marks" says when they happen besides at
the end of each epoch: training seconds of the first, and the growth from each to the next.
"""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..common import accuracy
from ..common.matrices import load_matrices
from ..common.processes import peak_mb
from .methods import Options
from .methods.torch_common import BATCH, LEARNING_RATE, TwoLayers, batch_loss, batches, predict_topk, start
from .methods.torch_common import set_learning_rate as set_rate
from .methods.torch_full import optimizers_of as full_optimizers
from .methods.torch_sampled import UNIFORM, sampled_labels
from .methods.torch_sampled import optimizers_of as sampled_optimizers

TOP_K = 5


def softmax_loss(network: TwoLayers, X: csr_matrix, Y: csr_matrix, active: Any, log_chance: Any) -> Tensor:
    """Return the cross-entropy with 1 / |labels| as the targets, mean over rows.

    Over the `active` labels (None: all), the logits of those that are not an example's own less the log of
    their chance to be active (Bengio & Senecal 2008).
    """
    if active is None:
        logits, targets = network.logits(network.hidden(X)), torch.from_numpy(Y.toarray())
    else:
        targets = torch.from_numpy(Y[:, active].toarray())
        logits = network.logits(network.hidden(X), torch.from_numpy(active))
        logits = torch.where(targets > 0, logits, logits - torch.from_numpy(log_chance[active]))
    return cross_entropy(logits, targets / targets.sum(1, keepdim=True).clamp(min=1))


def log_chances(Y: csr_matrix) -> NDArray[np.float32]:
    """Return the log of each label's chance to be in a batch or among UNIFORM draws, shape (n_labels,)."""
    frequency = (np.bincount(Y.indices, minlength=Y.shape[1]) + 0.5) / (Y.shape[0] + 1)
    absent = BATCH * np.log1p(-frequency) + UNIFORM * np.log1p(-1 / (Y.shape[1] + 1))
    return np.log(-np.expm1(absent)).astype(np.float32)


class Training:
    """The network of a job, its clock, and its evaluations so far (`points`)."""

    def __init__(self, job: dict[str, Any]):
        self.job, folder = job, Path(job["folder"])
        self.options = Options(job["threads"], job["seed"], job["epochs"])
        self.data = load_matrices(folder, "train")
        self.X_validation, self.Y_validation = load_matrices(folder, "validation")
        self.points: list[dict[str, float]] = []
        self.mark, self.growth = job["marks"]
        self.wall = self.cpu = 0.0
        self.rng = np.random.default_rng([job["seed"], 1])
        self.warm_up()
        self.resume()
        self.begin(*self.data, job["hidden"])

    def begin(self, X: csr_matrix, Y: csr_matrix, hidden: int) -> None:
        """Make the network and its optimisers."""
        self.network = start(X, Y, self.options, sparse_output=self.job["sampled"], hidden=hidden)
        self.optimizers = (sampled_optimizers if self.job["sampled"] else full_optimizers)(self.network)
        self.log_chance = log_chances(Y)

    def warm_up(self) -> None:
        """Make one step of a tiny network: PyTorch loads parts of itself, for seconds, at the first."""
        X = Y = csr_matrix(np.eye(4, dtype=np.float32))
        self.begin(X, Y, 4)
        self.step(X, Y, 0.0)

    def resume(self) -> None:
        """Let the clock run."""
        self.wall_start, self.cpu_start = time.perf_counter(), time.process_time()

    def seconds(self) -> float:
        """Return the training seconds so far."""
        return self.wall + time.perf_counter() - self.wall_start

    def evaluate(self, epoch: float) -> None:
        """Add a point; the clock stands still."""
        self.cpu += time.process_time() - self.cpu_start
        self.wall = self.seconds()
        while self.mark <= self.wall:
            self.mark *= self.growth
        topk = predict_topk(self.network, self.X_validation, TOP_K, self.options)
        hits = accuracy.hit_matrix(self.Y_validation, topk)
        self.points.append(
            {"epoch": epoch, "wall": self.wall, "cpu": self.cpu}
            | {f"P@{k}": float(hits[:, :k].mean()) for k in (1, 3, 5)}
        )
        print(
            f"  epoch {epoch:.2f}, {self.wall:.1f} s: P@1 {self.points[-1]['P@1']:.4f}",
            file=sys.stderr,
            flush=True,
        )
        self.resume()

    def step(self, X: csr_matrix, Y: csr_matrix, progress: float) -> None:
        """Train on one batch."""
        set_rate(self.optimizers, LEARNING_RATE * (1 - progress))
        active = sampled_labels(Y, self.rng) if self.job["sampled"] else None
        if self.job["loss"] == "bce":
            loss = batch_loss(self.network, X, Y, active)
        else:
            loss = softmax_loss(self.network, X, Y, active, self.log_chance)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()

    def run(self) -> None:
        """Train until the epochs or the seconds are over."""
        n_batches = math.ceil(self.data[0].shape[0] / BATCH)
        limit = self.job["seconds"] or math.inf
        for i, (X, Y) in enumerate(batches(*self.data, self.options)):
            self.step(X, Y, min(1.0, max(i / (n_batches * self.job["epochs"]), self.seconds() / limit)))
            is_over = self.seconds() >= limit
            if is_over or self.seconds() >= self.mark or (i + 1) % n_batches == 0:
                self.evaluate((i + 1) / n_batches)
            if is_over:
                break


def main() -> None:
    """Run the job named on the command line."""
    warnings.filterwarnings("ignore", message="Sparse")
    path = Path(sys.argv[1])
    training = Training(json.loads(path.read_text()))
    training.run()
    path.with_suffix(".result").write_text(json.dumps({"points": training.points, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
