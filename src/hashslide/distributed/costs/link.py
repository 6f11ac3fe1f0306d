"""What a network between machines can do: bytes a second, delay, and what a message costs besides."""

import re
import time
from dataclasses import dataclass

import numpy as np

from hashslide.distributed.exchange import Exchange
from hashslide.errors import InputError

__all__ = ["MESSAGE_SECONDS", "Link", "measure_link", "parse_bandwidth", "parse_delay"]


def __dir__() -> list[str]:
    return __all__


# Of a message to another machine, besides its bytes and the network's delay: what Python, gloo and the system
# do for it.
# python -m benchmarks.machines.network measures it, on the loopback.
MESSAGE_SECONDS = 50e-6

_PREFIXES = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SMALL, _LARGE, _REPEATS = 1, 1 << 18, 9  # float32 numbers for each other rank


@dataclass(frozen=True, kw_only=True)
class Link:
    """What connects each machine with all the others.

    Attributes
    ----------
    bandwidth : float
        Bytes per second that a machine sends, while it receives as many.
    delay : float
        Seconds from one machine to another.
    message : float
        Seconds that a message costs the machine that sends it, besides its bytes.
    """

    bandwidth: float
    delay: float
    message: float = MESSAGE_SECONDS

    def seconds(self, n_bytes: float, machines: int) -> float:
        """Return how long it takes until all machines have what each of them sent to all others.

        Parameters
        ----------
        n_bytes : float
            That each machine sends, to all others together.
        machines : int
        """
        return 0.0 if machines == 1 else self.delay + (machines - 1) * self.message + n_bytes / self.bandwidth


def parse_bandwidth(text: str) -> float:
    """Return the bytes per second that a text such as "10Gbit" names.

    Raises
    ------
    InputError
        It names none.
    """
    found = re.fullmatch(r"\s*([\d.]+(?:e\d+)?)\s*([kmgt]?)bit(?:/s|ps)?\s*", text, re.IGNORECASE)
    value = _number(found[1]) * _PREFIXES[found[2].lower()] / 8 if found else 0.0
    if not 0 < value < float("inf"):
        raise InputError(
            f"the network is {text!r}; accepted are bits per second of a machine, such as 10Gbit or 100Mbit."
        )
    return value


def parse_delay(text: str) -> float:
    """Return the seconds that a text such as "1ms" names.

    Raises
    ------
    InputError
        It names none.
    """
    found = re.fullmatch(r"\s*([\d.]+(?:e-?\d+)?)\s*(s|ms|us|µs|ns)\s*", text)
    value = _number(found[1]) if found else float("nan")
    if not found or not np.isfinite(value):
        raise InputError(f"the delay is {text!r}; accepted are times such as 1ms, 50us or 0.2s.")
    return value * _UNITS[found[2]]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def measure_link(exchange: Exchange) -> Link:
    """Return what the network between the ranks can do now; the same on all of them. Collective.

    Small messages tell the time that does not depend on the size, large ones the bandwidth. It is the median
    of some rounds, and of the slowest rank. What a small message takes counts as its delay.
    """
    if exchange.size == 1:
        return Link(bandwidth=float("inf"), delay=0.0, message=0.0)
    times = []
    for length in (_SMALL, _LARGE):
        parts = [np.zeros(length, np.float32) for _ in range(exchange.size)]
        rounds = []
        for _ in range(1 + _REPEATS):
            begun = time.perf_counter()
            exchange.all_to_all(parts, "control", [length] * exchange.size)
            rounds.append(time.perf_counter() - begun)
        times.append(float(np.median(rounds[1:])))
    found = np.max(exchange.all_gather(np.array(times), "control", [2] * exchange.size), axis=0)
    small, large = float(found[0]), float(found[1])
    more = 4 * (_LARGE - _SMALL) * (exchange.size - 1)
    return Link(bandwidth=more / max(large - small, 1e-9), delay=small, message=0.0)
