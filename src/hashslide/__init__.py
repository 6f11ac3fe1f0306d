"""Train and serve neural networks with enormous output layers on ordinary CPUs."""

import lazy_loader
import scipy_openblas32 as _openblas  # noqa: F401  (loads the library that _core is linked to)

from hashslide._core import version as __version__  # noqa: F401

# The names and where they come from are in __init__.pyi; each is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
del lazy_loader
