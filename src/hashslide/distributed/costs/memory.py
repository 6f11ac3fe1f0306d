"""How much memory a machine needs."""

from hashslide.planning import Sizes
from hashslide.planning.estimating import PROGRAM_BYTES

__all__ = ["machine_bytes"]


def __dir__() -> list[str]:
    return __all__


TORCH_BYTES = 250_000_000  # PyTorch's libraries, and what its process group holds
PLACE_BYTES = 8  # of an id, on every machine: which shard owns it, and which ids a shard has
WINDOW_BYTES = 256_000_000  # of a pack that is read


def machine_bytes(
    sizes: Sizes, n_features: int, n_labels: int, machines: int, step_bytes: float
) -> dict[str, int]:
    """Return the bytes of the parts of a machine's memory.

    Parameters
    ----------
    sizes : Sizes
        Of the network.
    n_features, n_labels, machines : int
    step_bytes : float
        That a machine sends in a step, and as many that it receives.
    """
    return {
        "program": PROGRAM_BYTES + TORCH_BYTES,
        "model": sizes.model(n_features, n_labels) // machines,
        "places": PLACE_BYTES * (n_features + n_labels),
        "data": WINDOW_BYTES,
        "messages": round(2 * step_bytes),
    }
