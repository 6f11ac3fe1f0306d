"""The network for Python callers: checked arguments around the C++ core."""

from ._candidates import CandidateSettings
from ._checks import check_label_weight
from ._network import Network
from ._state import ROLES, ArrayInfo, FrozenNetwork
from ._threads import effective_threads

__all__ = [
    "ROLES",
    "ArrayInfo",
    "CandidateSettings",
    "FrozenNetwork",
    "Network",
    "check_label_weight",
    "effective_threads",
]


def __dir__() -> list[str]:
    return __all__
