"""Which examples of a batch a rank reads: V virtual readers, each with its own part of the data."""

from collections.abc import Iterator

from hashslide.data.pack import Pack
from hashslide.training import Batch, TrainingData

__all__ = ["ReadersOfData", "ReadersOfPack"]


def __dir__() -> list[str]:
    return __all__


class ReadersOfPack:
    """The part of a rank in each global batch of a pack (`hashslide.training.BatchSource`).

    The blocks of the pack are dealt to V readers; a batch takes as many examples of each, reader by reader. Rank r
    of W reads for the readers r V / W .. (r + 1) V / W - 1, so batches do not depend on the number of ranks. All
    ranks make the same number of batches; the last ones of an epoch may be empty for some.

    Parameters
    ----------
    pack : Pack
    n_rows : int
        The first so many examples are used.
    n_readers, rank, n_ranks : int
    """

    def __init__(self, pack: Pack, n_rows: int, n_readers: int, rank: int, n_ranks: int) -> None:
        raise NotImplementedError

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch, of `batch_size` examples over all ranks."""
        raise NotImplementedError

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each batch of an epoch from number `first` on."""
        raise NotImplementedError


class ReadersOfData:
    """The same of examples in memory, each rank with all of them."""

    def __init__(self, data: TrainingData, n_readers: int, rank: int, n_ranks: int) -> None:
        raise NotImplementedError

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch, of `batch_size` examples over all ranks."""
        raise NotImplementedError

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each batch of an epoch from number `first` on."""
        raise NotImplementedError
