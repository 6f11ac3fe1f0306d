"""Which protocol a training takes, and why."""

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Choice", "choose"]


def __dir__() -> list[str]:
    return __all__


_ALIKE = 1.05  # protocols whose steps differ by less are as fast as each other


class Choice(NamedTuple):
    """The protocol that `protocol="auto"` stands for.

    Attributes
    ----------
    protocol : str
        "activations" or "rows".
    reason : str
        A clause that follows "because".
    """

    protocol: str
    reason: str


def choose(machines: int, seconds: Mapping[str, float], sent: Mapping[str, float]) -> Choice:
    """Choose between the synchronous protocols.

    The one whose step is shorter; "activations" where that is the same, as its result does not depend on the
    number of machines.

    Parameters
    ----------
    machines : int
    seconds : mapping
        Of a step with the same batch, by protocol.
    sent : mapping
        Bytes that a machine sends in it, by protocol.
    """
    if machines == 1:
        return Choice("activations", "there is one machine only, which sends nothing")
    of_activations, of_rows = seconds["activations"], seconds["rows"]
    facts = (
        f"{1000 * of_activations:.3g} ms with activations "
        f"({_readable(sent['activations'])} sent by a machine) and "
        f"{1000 * of_rows:.3g} ms with rows ({_readable(sent['rows'])})"
    )
    if of_rows * _ALIKE < of_activations:
        return Choice("rows", f"a step is expected to take {facts}")
    if of_activations * _ALIKE < of_rows:
        return Choice("activations", f"a step is expected to take {facts}")
    same = "and the result with activations does not depend on the number of machines"
    return Choice("activations", f"a step is expected to take {facts}, {same}")


def _readable(n_bytes: float) -> str:
    unit = next((u for u in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if n_bytes >= u[0]), (1.0, "bytes"))
    return f"{n_bytes / unit[0]:.3g} {unit[1]}"
