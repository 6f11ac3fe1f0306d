"""Sums over very many points, estimated without bias from a few of them that hashing chooses."""

import lazy_loader

# The names and where they come from are in __init__.pyi; scikit-learn is imported when one is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
del lazy_loader
