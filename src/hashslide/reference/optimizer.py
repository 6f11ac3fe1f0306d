"""Step 7 in NumPy: updates of touched rows. Part of the specification in reference.py."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.reference.rounding import RandomRounding
from hashslide.settings import SGD, Adagrad, Adam, NetworkConfig

__all__ = ["Optimizer", "pad_rows"]


def __dir__() -> list[str]:
    return __all__


class Optimizer:
    """Updates the given rows of a matrix; other rows cost nothing.

    adagrad  row-wise: s += mean(g^2), w -= rate g / sqrt(s0 + s)            (Duchi, Hazan & Singer 2011)
    adam     lazy: the moments of a weight change only when it is touched    (Kingma & Ba 2015)
    sgd      heavy ball, equally lazy: u = momentum u + g, w -= rate u
    """

    def __init__(self, config: NetworkConfig, shape: tuple[int, int], rounding: RandomRounding | None = None):
        self.rounding = rounding  # of bfloat16 weights
        self.settings = config.optimizer
        names = {Adagrad: ["adagrad"], Adam: ["adam_m", "adam_v"], SGD: ["velocity"]}[type(self.settings)]
        if isinstance(self.settings, SGD) and not self.settings.momentum:
            names = []
        widths = {"adagrad": 1}
        self.arrays = {name: np.zeros((shape[0], widths.get(name, shape[1])), np.float32) for name in names}

    def update(
        self,
        weight: NDArray[Any],
        rows: NDArray[Any],
        gradient: NDArray[Any],
        rate: float,
        step: int,
        entries: NDArray[Any] | bool = True,
    ) -> None:
        """Change the rows of weight (n, width) in place.

        gradient: (len(rows), width), 0 outside `entries`. entries: of the same shape, the weights that are
        touched; True: all.
        """
        c, gradient = self.settings, np.asarray(gradient, np.float32)
        w = weight[rows] * np.float32(1 - rate * c.weight_decay)
        if isinstance(c, Adagrad):
            s = self.arrays["adagrad"]
            s[rows] += (gradient**2).mean(axis=1, keepdims=True)
            w -= rate / np.sqrt(c.initial_accumulator + s[rows]) * gradient
        elif isinstance(c, Adam):
            m = self._average("adam_m", rows, c.beta1, (1 - c.beta1) * gradient, entries)
            v = self._average("adam_v", rows, c.beta2, (1 - c.beta2) * gradient**2, entries)
            m_hat, v_hat = m / (1 - c.beta1**step), v / (1 - c.beta2**step)
            w -= rate * m_hat / (np.sqrt(v_hat) + c.epsilon)
        else:
            assert isinstance(c, SGD)
            w -= rate * (
                self._average("velocity", rows, c.momentum, gradient, entries) if c.momentum else gradient
            )
        if self.rounding is not None:
            w = self.rounding(w, rows, step)
        weight[rows] = np.where(entries, w, weight[rows])

    def _average(
        self, name: str, rows: NDArray[Any], keep: float, new: NDArray[Any], entries: NDArray[Any] | bool
    ) -> NDArray[Any]:
        """A moment of the touched weights: keep * old + new."""
        moment = self.arrays[name]
        moment[rows] = np.where(entries, keep * moment[rows] + new, moment[rows])
        return moment[rows]

    def grow(self, n_rows: int) -> None:
        """Rows at the end; nothing is known of them."""
        self.arrays = {name: pad_rows(array, n_rows) for name, array in self.arrays.items()}


def pad_rows(array: NDArray[Any], n_rows: int) -> NDArray[Any]:
    """The array with rows of 0 at the end, n_rows altogether."""
    return np.pad(array, ((0, n_rows - len(array)), (0, 0)))
