"""What a rank of test_processes.py does: rank_program.py RANK SIZE FOLDER"""

import sys
from pathlib import Path

import numpy as np
from sharded import config_of, trained

from hashslide.csr import Csr
from hashslide.distributed.gloo import GlooExchange
from hashslide.training import TrainingData


def load(folder):
    """The examples that test_processes.py has written."""
    a = np.load(Path(folder) / "data.npz")
    x = Csr(a["x_indptr"], a["x_indices"], a["x_data"], int(a["n_features"]))
    y = Csr(a["y_indptr"], a["y_indices"], None, int(a["n_labels"]))
    return TrainingData(x=x, y=y, rows=np.arange(x.n_rows))


def main(rank, size, folder):
    """Train, and write the shards, the predictions and the bytes sent."""
    data = load(folder)
    exchange = GlooExchange.join(60, f"file://{folder}/group{size}", rank=int(rank), world_size=int(size))
    network, losses = trained(config_of(data, precision="bfloat16"), data, exchange, epochs=1)
    labels, _ = network.predict_topk(data.x.block(0, 50), 3)
    parts = [np.arange(to * 3 + exchange.rank, dtype=np.int64) for to in range(exchange.size)]
    received = exchange.all_to_all(parts, "control")
    lengths = [len(array) for array in received]
    np.savez(
        f"{folder}/rank{size}_{rank}.npz",
        losses=losses,
        labels=labels,
        lengths=lengths,
        sent=exchange.bytes_sent["control"],
        **{
            name: array.view(np.uint16) if array.dtype.itemsize == 2 else array
            for name, array in network.snapshot().items()
        },
    )
    exchange.barrier()


if __name__ == "__main__":
    main(*sys.argv[1:])
