"""What is done for data whose features and labels are the same items (docs/guides/recommendation.md)."""

from hashslide.recommendation.reversal import both_ways, with_reversed

__all__ = ["both_ways", "with_reversed"]


def __dir__() -> list[str]:
    return __all__
