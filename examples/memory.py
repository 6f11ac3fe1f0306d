"""A network that knows a digit after one example: three of the ten digits come after the training."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from hashslide.torch.memory import Memory

SECONDS = 10
NEW = 7  # the digits from 7 on are not in the training


def main() -> None:
    torch.manual_seed(0)
    pictures, digits = load_digits(return_X_y=True)
    X, y = torch.from_numpy(pictures / 16).float(), torch.from_numpy(digits)
    old = (y < NEW).nonzero()[:, 0]
    new = (y >= NEW).nonzero()[:, 0]

    network = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32))
    memory = Memory(key_dim=32, size=500, neighbours=50, seed=0)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    generator = np.random.default_rng(0)
    for _ in range(40 * SECONDS):
        rows = old[generator.integers(len(old), size=64)]
        optimizer.zero_grad()
        memory(network(X[rows]), y[rows]).backward()
        optimizer.step()

    network.eval()
    with torch.no_grad():
        for shots in (1, 5):
            right = []
            for _ in range(50):
                memory.reset()
                chosen = np.concatenate(
                    [generator.permutation(new[y[new] == digit].numpy())[:shots] for digit in range(NEW, 10)]
                )
                memory.write(network(X[chosen]), y[chosen])
                right.append((memory.query(network(X[new])).values == y[new]).float().mean())
            print(f"examples of each new digit: {shots}   right answers: {torch.stack(right).mean():.2f}")


if __name__ == "__main__":
    main()
