"""What a training on many machines will cost: memory, bytes, time and speed-up, by protocol."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hashslide._checks import check_int
from hashslide.csr import Csr
from hashslide.distributed.costs.batches import Touched
from hashslide.distributed.costs.choice import Choice, choose
from hashslide.distributed.costs.compute import Compute, Pilot
from hashslide.distributed.costs.link import Link
from hashslide.distributed.costs.memory import machine_bytes
from hashslide.distributed.costs.phases import Phase, activations_phases, alone, rows_phases, step_seconds
from hashslide.distributed.costs.simulation import simulate_downpour
from hashslide.distributed.costs.stragglers import USUAL, Stragglers
from hashslide.distributed.costs.traffic import StepSize, activations, dense_all_reduce, rows
from hashslide.distributed.sharded.network import check_network
from hashslide.planning import Sizes
from hashslide.settings import NetworkConfig

__all__ = ["MOST_MACHINES", "Costs", "MachinesEstimate", "ProtocolEstimate"]


def __dir__() -> list[str]:
    return __all__


MOST_MACHINES = 1024
_SIMULATED_EVENTS = 20_000  # batches of all machines together


@dataclass(frozen=True, kw_only=True)
class ProtocolEstimate:
    """What a protocol costs with batches of one size.

    Attributes
    ----------
    protocol : str
        "one machine", "activations", "rows", or "downpour".
    batch : int
        Examples of a step, of all machines together.
    sent : float
        Bytes that a machine sends in a step.
    compute, exchange : float
        Seconds of a step in which a machine computes, and in which it waits for the network.
    examples_per_second : float
        Of all machines together.
    speed_up : float
        Against one machine with its own batches.
    straggling : float
        Examples per second where machines are slow now and then.
    """

    protocol: str
    batch: int
    sent: float
    compute: float
    exchange: float
    examples_per_second: float
    speed_up: float
    straggling: float

    @property
    def seconds(self) -> float:
        """Of a step."""
        return self.compute + self.exchange


@dataclass(frozen=True, kw_only=True)
class MachinesEstimate:
    """What a training on many machines will cost.

    Attributes
    ----------
    machines : int
    link : Link
    width : int
        Of the hidden layer.
    feature_rows, label_rows : float
        Rows that one machine's examples touch, with the largest of the batches.
    memory : dict of str to int
        Bytes of the parts of a machine's memory.
    first_bytes : int
        Memory of the machine that puts the model together at the end, if it is more.
    one_bytes : int
        Memory of the model on a single machine.
    dense_bytes : float
        That a machine would send in a step, if all gradients were added up over all machines.
    protocols : list of ProtocolEstimate
    choice : Choice
        For the first batch size.
    stragglers : Stragglers
    """

    machines: int
    link: Link
    width: int
    feature_rows: float
    label_rows: float
    memory: dict[str, int]
    first_bytes: int
    one_bytes: int
    dense_bytes: float
    protocols: list[ProtocolEstimate]
    choice: Choice
    stragglers: Stragglers

    @property
    def machine_bytes(self) -> int:
        """Memory of a machine while it trains."""
        return sum(self.memory.values())

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers."""
        found = asdict(self) | {"machine_bytes": self.machine_bytes, "choice": self.choice._asdict()}
        found["protocols"] = [asdict(p) | {"seconds": p.seconds} for p in self.protocols]
        return found


class Costs:
    """Costs of the steps of one training, measured on this machine.

    Parameters
    ----------
    config : NetworkConfig
        Of the whole network.
    x, y : Csr
        Examples: all, or a random sample.
    n_threads : int
        Of a machine.
    seconds : float
        For measuring each kind of step, about.
    """

    def __init__(self, config: NetworkConfig, x: Csr, y: Csr, n_threads: int, seconds: float = 0.5) -> None:
        check_network(config)
        self.config, self._seconds = config, seconds
        negatives = config.negatives
        self.touched = Touched.of(
            x,
            y,
            uniform=negatives.uniform,
            popular=negatives.popular,
            dropout=config.input_dropout,
            total_features=config.n_features,
            total_labels=config.n_labels,
        )
        self.pilot = Pilot(config, x, y, n_threads)
        self._copying = self.pilot.copying()
        self._measured: dict[tuple[float, float, int], Compute] = {}

    def size(self, machines: int, batch: float) -> StepSize:
        """Return what a step consists of."""
        return StepSize.of(
            self.touched,
            machines=machines,
            batch=batch,
            width=self.config.width,
            weight_bytes=2 if self.config.precision == "bfloat16" else 4,
            is_softmax=self.config.loss == "softmax",
        )

    def compute(self, batch: float, parts: int = 1) -> Compute:
        """Return what a step on so many examples and one of so many parts of the rows costs."""
        key = (batch, self.touched.label_rows(batch), parts)
        if key not in self._measured:
            self._measured[key] = self.pilot.step(*key, self._seconds)
        return self._measured[key]

    def phases(self, protocol: str, machines: int, batch: float) -> list[Phase]:
        """Return the step of "activations", "rows" or "downpour", which has the phases of "rows".

        Parameters
        ----------
        protocol : str
        machines : int
        batch : float
            Examples of all machines together.
        """
        if machines == 1:
            return alone(self.compute(batch))
        size = self.size(machines, batch)
        if protocol == "activations":
            return activations_phases(size, self.compute(batch, machines), self._copying)
        return rows_phases(size, self.compute(batch / machines), self._copying)

    def choose(self, machines: int, batch: float, link: Link) -> Choice:
        """Return what ``protocol="auto"`` stands for."""
        size = self.size(machines, batch)
        seconds = {
            name: step_seconds(self.phases(name, machines, batch), link, machines)
            for name in ("activations", "rows")
        }
        sent = {"activations": sum(activations(size).values()), "rows": sum(rows(size).values())}
        return choose(machines, seconds, sent)

    def estimate(
        self,
        machines: int,
        batches: Sequence[int],
        link: Link,
        sizes: Sizes,
        stragglers: Stragglers = USUAL,
    ) -> MachinesEstimate:
        """Return what a training on many machines costs.

        Parameters
        ----------
        machines : int
        batches : sequence of int
            Sizes of the batch of all machines together, of which the first is what a single machine has.
        link : Link
        sizes : Sizes
            Of the network.
        stragglers : Stragglers
        """
        check_int("machines", machines, 1, MOST_MACHINES)
        config = self.config
        single = batches[0] / self.compute(batches[0]).seconds
        found = [self._estimate("one machine", 1, batches[0], link, stragglers, single)]
        for batch in dict.fromkeys(batches if machines > 1 else ()):
            for protocol in ("activations", "rows", "downpour"):
                if batch >= machines:
                    found.append(self._estimate(protocol, machines, batch, link, stragglers, single))
        largest = self.size(machines, max(batches))
        model = sizes.model(config.n_features, config.n_labels)
        memory = machine_bytes(
            sizes, config.n_features, config.n_labels, machines, max(p.sent for p in found)
        )
        return MachinesEstimate(
            machines=machines,
            link=link,
            width=config.width,
            feature_rows=largest.feature_rows,
            label_rows=largest.label_rows,
            memory=memory,
            first_bytes=sum(memory.values()) + model,
            one_bytes=model,
            dense_bytes=dense_all_reduce(largest),
            protocols=found,
            choice=self.choose(machines, batches[0], link),
            stragglers=stragglers,
        )

    def _estimate(
        self,
        protocol: str,
        machines: int,
        batch: int,
        link: Link,
        stragglers: Stragglers,
        single: float,
    ) -> ProtocolEstimate:
        phases = self.phases(protocol, machines, batch)
        compute = sum(phase.compute for phase in phases)
        exchange = sum(phase.exchange(link, machines) for phase in phases)
        steps = max(20, _SIMULATED_EVENTS // machines)
        if protocol == "downpour":
            own = batch / machines
            even = simulate_downpour(phases, link, machines, own, batches=steps)
            uneven = simulate_downpour(phases, link, machines, own, batches=steps, stragglers=stragglers)
            speed, straggling = even.examples_per_second, uneven.examples_per_second
            exchange = max(0.0, batch / speed - compute)
        else:
            speed = batch / (compute + exchange)
            straggling = batch / (compute * stragglers.slowest(machines) + exchange)
        return ProtocolEstimate(
            protocol=protocol,
            batch=batch,
            sent=sum(phase.n_bytes for phase in phases),
            compute=compute,
            exchange=exchange,
            examples_per_second=speed,
            speed_up=speed / single,
            straggling=straggling,
        )
