"""What training on many machines costs, and which protocol follows (docs/machines/how_it_works.md)."""

from .asking import auto_protocol, estimate_machines
from .choice import Choice, choose
from .estimating import Costs, MachinesEstimate, ProtocolEstimate
from .link import Link, measure_link, parse_bandwidth, parse_delay
from .simulation import Run, simulate_downpour, simulate_synchronous
from .stragglers import Stragglers
from .traffic import StepSize

__all__ = [
    "Choice",
    "Costs",
    "Link",
    "MachinesEstimate",
    "ProtocolEstimate",
    "Run",
    "StepSize",
    "Stragglers",
    "auto_protocol",
    "choose",
    "estimate_machines",
    "measure_link",
    "parse_bandwidth",
    "parse_delay",
    "simulate_downpour",
    "simulate_synchronous",
]


def __dir__() -> list[str]:
    return __all__
