"""Image sets for networks with wide hidden layers: MNIST, Fashion-MNIST, CONVEX and RECTANGLES.

All are 28 × 28 pixels in rows of 784 values in [0, 1]. The first two are read from files, which README.md
says how to get; the last two are generated as Larochelle, Erhan, Courville, Bergstra & Bengio (2007) and the
paper's online companion define them.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

SIDE = 28
PIXELS = SIDE * SIDE
SMALLEST_DIFFERENCE = 3
HALF_PLANES_CONVEX, SMALLEST_CONVEX = 0.195, 19
HALF_PLANES_PART, SMALLEST_PART = 0.07, 10
CHUNK = 8192

Images = tuple[np.ndarray, np.ndarray]


def mnist(folder: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read MNIST (LeCun, Bottou, Bengio & Haffner 1998) from its four IDX files, plain or gzipped.

    Parameters
    ----------
    folder : path
        Holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte`` and the two files of ``t10k``.

    Returns
    -------
    X_train, y_train, X_test, y_test : float32 (60000, 784), int64 (60000,) and the same of 10000
    """
    train, test = (_idx_part(Path(folder), part) for part in ("train", "t10k"))
    return *train, *test


def fashion_mnist(folder: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read Fashion-MNIST (Xiao, Rasul & Vollgraf 2017), whose files and shapes are those of :func:`mnist`."""
    return mnist(folder)


def rectangles(n: int, seed: int = 0) -> Images:
    """Draw outlines of rectangles: is each taller (1) or wider (0)?

    Height and width are uniform; a pair that differs by less than 3 pixels is drawn again. The place is
    uniform among those where the whole rectangle fits.

    Returns
    -------
    X, y : float32 (n, 784) of zeros and ones, int64 (n,)
    """
    rng = np.random.default_rng(seed)
    height, width = _sides(n, rng).T
    top, left = rng.integers(0, SIDE - height + 1), rng.integers(0, SIDE - width + 1)
    in_rows, rim_rows = _span(top, height)
    in_columns, rim_columns = _span(left, width)
    outline = in_rows[:, :, None] & rim_columns[:, None, :] | rim_rows[:, :, None] & in_columns[:, None, :]
    return outline.reshape(n, PIXELS).astype(np.float32), (height > width).astype(np.int64)


def convex(n: int, seed: int = 0) -> Images:
    """Draw white regions: is each convex (1) or not (0)? The classes are equally frequent.

    A convex region is the intersection of half-planes of uniform place and direction, their number geometric
    with parameter 0.195, and has at least 19 pixels. The others are unions of 2 to 4 such sets (parameter
    0.07, at least 10 pixels each) that lack a pixel of their convex hull. The number is counted from 0: only
    then are both classes' mean numbers of pixels equal, as the definition says (about 450; counted from 1,
    272 and 476). A third of the convex images are all white: those without a half-plane.

    Returns
    -------
    X, y : float32 (n, 784) of zeros and ones, int64 (n,)
    """
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    X = np.empty((n, PIXELS), np.float32)
    X[y == 1] = _first(int(y.sum()), lambda: _intersections(HALF_PLANES_CONVEX, SMALLEST_CONVEX, rng))
    X[y == 0] = _first(n - int(y.sum()), lambda: _non_convex(rng))
    return X, y


def _idx_part(folder: Path, part: str) -> Images:
    images = _idx(folder / f"{part}-images-idx3-ubyte")
    labels = _idx(folder / f"{part}-labels-idx1-ubyte")
    return images.reshape(len(images), PIXELS).astype(np.float32) / np.float32(255), labels.astype(np.int64)


def _idx(path: Path) -> np.ndarray:
    """Read the IDX format: two zeros, the type (8: bytes), the number of dimensions, dimensions, data."""
    zipped = path.with_name(path.name + ".gz")
    content = gzip.decompress(zipped.read_bytes()) if zipped.exists() else path.read_bytes()
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"{path} is no IDX file of bytes: it starts with {content[:4]!r}")
    shape = np.frombuffer(content, ">u4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def _sides(n: int, rng: np.random.Generator) -> np.ndarray:
    sides = rng.integers(1, SIDE + 1, (n, 2))
    while (close := np.flatnonzero(np.abs(sides[:, 0] - sides[:, 1]) < SMALLEST_DIFFERENCE)).size:
        sides[close] = rng.integers(1, SIDE + 1, (close.size, 2))
    return sides


def _span(start: np.ndarray, length: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the 28 positions lie in each span, and which are its two ends: bool (n, 28) each."""
    offset = np.arange(SIDE) - start[:, None]
    last = length[:, None] - 1
    return (offset >= 0) & (offset <= last), (offset == 0) | (offset == last)


def _first(n: int, draw) -> np.ndarray:
    """Return the first n of as many draws of whole arrays as it takes."""
    drawn, have = [np.empty((0, PIXELS), bool)], 0
    while have < n:
        drawn.append(draw())
        have += len(drawn[-1])
    return np.concatenate(drawn)[:n]


def _intersections(parameter: float, smallest: int, rng: np.random.Generator) -> np.ndarray:
    """Return those of CHUNK random intersections of half-planes that have enough pixels: bool (m, 784)."""
    sets = np.ones((CHUNK, PIXELS), bool)
    remaining = rng.geometric(parameter, CHUNK) - 1
    while (active := np.flatnonzero(remaining)).size:
        sets[active] &= _half_planes(active.size, rng)
        remaining[active] -= 1
        remaining[active[sets[active].sum(1) < smallest]] = 0
    return sets[sets.sum(1) >= smallest]


def _half_planes(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n times the pixels p with ⟨p − q, u⟩ ≥ 0: point q and direction u are uniform: bool (n, 784)."""
    angle = rng.uniform(0, 2 * np.pi, (n, 1))
    point = rng.uniform(-0.5, SIDE - 0.5, (2, n, 1))
    along_rows = (np.sin(angle) * (np.arange(SIDE) - point[0])).astype(np.float32)
    along_columns = (np.cos(angle) * (np.arange(SIDE) - point[1])).astype(np.float32)
    return (along_rows[:, :, None] >= -along_columns[:, None, :]).reshape(n, PIXELS)


def _non_convex(rng: np.random.Generator) -> np.ndarray:
    """Join the sets of one draw, 2 to 4 at a time; return the unions that are not convex: bool (m, 784)."""
    parts = _intersections(HALF_PLANES_PART, SMALLEST_PART, rng)
    ends = np.cumsum(rng.integers(2, 5, len(parts) // 2))
    ends = ends[ends <= len(parts)]
    unions = np.logical_or.reduceat(parts[: ends[-1]], np.append(0, ends[:-1]), axis=0)
    return unions[hull_sizes(unions) > unions.sum(1)]


def hull_sizes(images: np.ndarray) -> np.ndarray:
    """Count the pixels whose centres lie in the convex hull of each image's white pixels.

    A row of the hull reaches from the least to the greatest point among the row's own white pixels and the
    points where segments between the ends of two other rows cross it.

    Parameters
    ----------
    images : bool (n, 784)

    Returns
    -------
    int64 (n,)
    """
    images = images.reshape(-1, SIDE, SIDE)
    white = images.any(2)
    left = np.where(white, images.argmax(2), SIDE).astype(np.int16)
    right = np.where(white, SIDE - 1 - images[:, :, ::-1].argmax(2), -1).astype(np.int16)
    low, high = left.copy(), right.copy()
    for above in range(SIDE):
        for below in range(above + 2, SIDE):
            both = np.flatnonzero(white[:, above] & white[:, below])
            inner = slice(above + 1, below)
            distance = np.int16(below - above)
            start, end = (_crossings(ends[both], above, below) for ends in (left, right))
            low[both, inner] = np.minimum(low[both, inner], -(-start // distance))
            high[both, inner] = np.maximum(high[both, inner], end // distance)
    return np.maximum(high - low + 1, 0).sum(1)


def _crossings(ends: np.ndarray, above: int, below: int) -> np.ndarray:
    """Return where segments from row `above` to row `below` cross the rows between, times their distance."""
    rows = np.arange(above + 1, below, dtype=np.int16)
    return ends[:, above, None] * (below - rows) + ends[:, below, None] * (rows - above)
