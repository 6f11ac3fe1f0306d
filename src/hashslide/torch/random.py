"""The core's random numbers (core/base/rng.h) in torch operations, for any device."""

import torch
from torch import Tensor

__all__ = ["draws", "narrowed_randomly", "random_halves"]


def __dir__() -> list[str]:
    return __all__


_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_UNIFORM_NEGATIVES = 3  # the stream
_HALVES = 4  # of 16 bits in a word


def _signed(x: int) -> int:
    x &= 2**64 - 1
    return x - 2**64 if x >= 2**63 else x


def _mix(x: int) -> int:
    x = (x + _GOLDEN) & (2**64 - 1)
    x = (x ^ (x >> 30)) * _FIRST & (2**64 - 1)
    x = (x ^ (x >> 27)) * _SECOND & (2**64 - 1)
    return x ^ (x >> 31)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Shift 64-bit words right, zeros in."""
    return (x >> bits) & (2 ** (64 - bits) - 1)


def _mixed(x: Tensor) -> Tensor:
    x = x + _signed(_GOLDEN)
    x = (x ^ _shifted(x, 30)) * _signed(_FIRST)
    x = (x ^ _shifted(x, 27)) * _signed(_SECOND)
    return x ^ _shifted(x, 31)


def draws(n: int, num_classes: int, seed: int, step: int, device: torch.device) -> Tensor:
    """Return n uniform draws from all classes with replacement: those of the core's generator."""
    key = _mix(_mix(_mix(seed) ^ _UNIFORM_NEGATIVES) ^ step)
    bits = _mixed(_mixed(torch.arange(n, device=device)) ^ _signed(key))
    high, low = _shifted(bits, 32), bits & (2**32 - 1)
    return (high * num_classes + (low * num_classes >> 32)) >> 32  # the upper half of the product of 64 bits


def random_halves(key: int, rows: Tensor, width: int) -> Tensor:
    """Return 16 random bits for each coordinate of some rows, (n, width) int64: the core's."""
    keys = _mixed(rows ^ _signed(key))
    words = torch.arange(-(-width // _HALVES), device=rows.device)
    words = _mixed(keys[:, None] + words * _signed(_GOLDEN))
    halves = words[..., None] >> torch.arange(0, 64, 64 // _HALVES, device=rows.device)
    return halves.flatten(1)[:, :width] & 0xFFFF


def narrowed_randomly(values: Tensor, key: int, rows: Tensor) -> Tensor:
    """Round float32 rows (n, width) to one of the two bfloat16 neighbours, so that the mean is right."""
    bits = values.view(torch.int32)
    added = (bits.long() + random_halves(key, rows, values.shape[1])).int()
    rounded = (added >> 16).to(torch.int16).view(torch.bfloat16)
    return rounded.masked_fill_(values.isnan(), torch.nan)
