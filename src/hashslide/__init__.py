"""Train and serve neural networks with enormous output layers on ordinary CPUs."""

import scipy_openblas32 as _openblas  # noqa: F401  (loads the library that _core is linked to)

from hashslide import _core
from hashslide.errors import CpuError

try:
    _core.build_info()  # the instruction set is chosen here, so that a wrong HASHSLIDE_ISA fails at once
except RuntimeError as error:
    raise CpuError(str(error)) from None

from hashslide._core import available_cpus, build_info
from hashslide.diagnostics.advice import Advice, advise
from hashslide.estimator import SlideClassifier
from hashslide.network import Network
from hashslide.selection import Layer, Selection

__all__ = [
    "Advice",
    "Layer",
    "Network",
    "Selection",
    "SlideClassifier",
    "advise",
    "available_cpus",
    "build_info",
]
__version__ = build_info()["version"]
