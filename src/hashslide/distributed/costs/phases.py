"""What a step of each protocol consists of, in order: computing, and an exchange after it."""

from collections.abc import Sequence
from dataclasses import dataclass

from hashslide.distributed.costs.compute import Compute
from hashslide.distributed.costs.link import Link
from hashslide.distributed.costs.traffic import StepSize, activations, rows

__all__ = ["Phase", "activations_phases", "alone", "rows_phases", "step_seconds"]


def __dir__() -> list[str]:
    return __all__


_COPIES = 4  # of a touched row: into an answer, out of it, into a push, out of it


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of a step that ends when every machine has what the others sent to it.

    Attributes
    ----------
    compute : float
        Seconds that a machine computes first.
    n_bytes : float
        That it sends to others then, all together.
    messages : int
        That it sends to each of the others: 2 where it has to say first how long the second one is, 0 where
        nothing is exchanged.
    """

    compute: float
    n_bytes: float = 0.0
    messages: int = 0

    def exchange(self, link: Link, machines: int) -> float:
        """Return the seconds of the exchange."""
        if machines == 1 or self.messages == 0:
            return 0.0
        return link.seconds(self.n_bytes, machines) + (self.messages - 1) * (machines - 1) * link.message


def alone(compute: Compute) -> list[Phase]:
    """Return the step of a single machine."""
    return [Phase(compute=compute.seconds)]


def activations_phases(step: StepSize, compute: Compute, copying: float = 0.0) -> list[Phase]:
    """Return the step of the protocol "activations".

    Parameters
    ----------
    step : StepSize
    compute : Compute
        Of all examples on the rows that one machine owns.
    copying : float
        Seconds that copying a row into a message or out of one takes.
    """
    sent = activations(step)
    quarter, copied = sent["activations"] / 4, 2 * copying * step.batch * step.elsewhere
    partition = [Phase(compute=0.0, n_bytes=sent["partition"], messages=1)] if step.is_softmax else []
    return [
        Phase(compute=0.0, n_bytes=sent["examples"], messages=2),
        Phase(compute=compute.hidden + copied, n_bytes=quarter, messages=1),
        Phase(compute=copied, n_bytes=quarter, messages=1),
        *partition,
        Phase(compute=compute.output + copied, n_bytes=quarter, messages=1),
        Phase(compute=copied, n_bytes=quarter, messages=1),
        Phase(compute=compute.update),
    ]


def rows_phases(step: StepSize, compute: Compute, copying: float = 0.0) -> list[Phase]:
    """Return the step of the protocol "rows".

    Parameters
    ----------
    step : StepSize
    compute : Compute
        Of one machine's own examples on the rows that they touch.
    copying : float
        Seconds that copying a row into a message or out of one takes.
    """
    sent = rows(step)
    asked = 4 * step.elsewhere * step.rows
    copied = copying * step.rows * _COPIES / 4
    return [
        Phase(compute=0.0, n_bytes=asked, messages=2),
        Phase(compute=copied, n_bytes=sent["rows"] - asked, messages=2),
        Phase(compute=copied + compute.seconds + copied, n_bytes=sent["gradients"], messages=2),
        Phase(compute=copied),
    ]


def step_seconds(phases: Sequence[Phase], link: Link, machines: int) -> float:
    """Return how long a step takes where no machine is slower than the others."""
    return sum(phase.compute + phase.exchange(link, machines) for phase in phases)
