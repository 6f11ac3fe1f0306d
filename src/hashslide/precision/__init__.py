"""Numbers of 16 bits: bfloat16, in which weights may be stored (docs/how/precision.md)."""

from hashslide.precision.bfloat16 import BFLOAT16, dtype_name, is_bfloat16, to_float32

__all__ = ["BFLOAT16", "dtype_name", "is_bfloat16", "to_float32"]


def __dir__() -> list[str]:
    return __all__
