"""Optimisers that touch only the rows of a parameter that have a gradient."""

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from hashslide._checks import check_bool
from hashslide.errors import InputError
from hashslide.network import effective_threads
from hashslide.torch import fused as triton_kernels
from hashslide.torch import kernels, row_updates
from hashslide.torch.operations import is_rising

__all__ = ["JoinedOptimizer", "RowAdagrad", "RowAdam"]


def __dir__() -> list[str]:
    return __all__


def _rows(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Return the rows that a gradient touches, and their gradients as a float32 matrix."""
    if gradient.layout != torch.sparse_coo:
        return torch.arange(len(gradient), device=gradient.device), _matrix(gradient)
    if gradient.sparse_dim() != 1:
        raise InputError(
            "a gradient is sparse in more than its rows. Give the parameters of a SlideLoss or of a sparse "
            "embedding."
        )
    if not is_rising(gradient):
        gradient = gradient.coalesce()
    return gradient._indices()[0], _matrix(gradient._values())


def _matrix(tensor: Tensor) -> Tensor:
    """Return a tensor as a float32 matrix with a row for each index of its first dimension."""
    return tensor.float().reshape(len(tensor), -1).contiguous()


class _RowOptimizer(torch.optim.Optimizer, ABC):
    """Takes the rows that each parameter's gradient names; the core makes the step where it can."""

    def __init__(
        self, params: Iterable[Any], defaults: dict[str, Any], n_jobs: int | None, fused: bool
    ) -> None:
        self.n_jobs, self.n_threads = n_jobs, effective_threads(n_jobs)
        self.fused = check_bool("fused", fused)
        if fused:
            triton_kernels.check()
        super().__init__(params, defaults)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"n_jobs": self.n_jobs, "fused": self.fused}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.n_threads = effective_threads(self.n_jobs)

    def _key(self, state: dict[str, Any]) -> int:
        """Return what bfloat16 weights are rounded by in this step."""
        state["calls"] = state.get("calls", 0) + 1
        return int(state["calls"])

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step; rows without a gradient cost nothing and stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(group, parameter, *_rows(parameter.grad))
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state, with the types of its numbers: PyTorch would make them the parameters'."""
        super().load_state_dict(state_dict)
        keys = [key for group in state_dict["param_groups"] for key in group["params"]]
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        for key, parameter in zip(keys, parameters, strict=True):
            for name, value in state_dict["state"].get(key, {}).items():
                if isinstance(value, Tensor):
                    self.state[parameter][name] = value.detach().clone().to(parameter.device)

    @abstractmethod
    def _update(self, group: dict[str, Any], parameter: Tensor, rows: Tensor, gradient: Tensor) -> None:
        """Make a step on the rows of a parameter that have a gradient."""

    def _make_step(self, name: str, parameter: Tensor, *arguments: Any) -> None:
        """Call the function `name` that makes the step on the parameter's device."""
        if self.fused:
            getattr(triton_kernels, name)(parameter, *arguments)
        elif kernels.is_core_tensor(parameter):
            getattr(kernels, name)(parameter, *arguments, self.n_threads)
        else:
            getattr(row_updates, name)(parameter, *arguments)


def _check(name: str, value: float, low: float, open_low: bool, high: float = math.inf) -> float:
    if not isinstance(value, int | float) or not (low < value < high or (value == low and not open_low)):
        bracket = "(" if open_low else "["
        raise InputError(f"{name} is {value!r}; accepted is a number in {bracket}{low}, {high}).")
    return float(value)


class RowAdagrad(_RowOptimizer):
    """Adagrad with one float32 a row: s <- s + mean(g^2), w <- w - lr g / sqrt(s + eps).

    Rows without a gradient cost nothing. A bias has one number a class, and so a state of its own size.

    Parameters
    ----------
    params : iterable
        Of parameters, such as ``head.parameters()``; dense gradients are taken too.
    lr : float > 0, default 0.1
    initial_accumulator : float > 0, default 1e-4
        What s starts at, in units of a squared gradient of one example.
    weight_decay : float >= 0, default 0
        A touched row shrinks by lr * weight_decay.
    n_jobs : int or None, default None
        Threads of the core; changes the speed, never the result.
    fused : bool, default False
        Use the Triton kernels of `hashslide.torch.fused`, for parameters on a GPU.

    References
    ----------
    Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
    JMLR 2011.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.1,
        *,
        initial_accumulator: float = 1e-4,
        weight_decay: float = 0.0,
        n_jobs: int | None = None,
        fused: bool = False,
    ) -> None:
        defaults = {
            "lr": _check("lr", lr, 0, False),
            "initial_accumulator": _check("initial_accumulator", initial_accumulator, 0, True),
            "weight_decay": _check("weight_decay", weight_decay, 0, False),
        }
        super().__init__(params, defaults, n_jobs, fused)

    def _update(self, group: dict[str, Any], parameter: Tensor, rows: Any, gradient: Tensor) -> None:
        state = self.state[parameter]
        if "sum" not in state:
            state["sum"] = torch.full(
                (len(parameter),), group["initial_accumulator"], dtype=torch.float32, device=parameter.device
            )
        keep = 1 - group["lr"] * group["weight_decay"]
        arguments = (rows, gradient, state["sum"], group["lr"], keep, self._key(state))
        self._make_step("adagrad_rows", parameter, *arguments)


class RowAdam(_RowOptimizer):
    """Adam whose moments move only where a row has a gradient, with a second moment of one float32 a row.

    m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) mean(g^2),  w <- w - lr m' / (sqrt(v') + eps), with m' and
    v' corrected for the number of steps that the row has been touched in.

    Parameters
    ----------
    params : iterable
        Of parameters; dense gradients are taken too.
    lr : float > 0, default 1e-3
    betas : (float, float), default (0.9, 0.999)
        With the first 0 there is no first moment, and the state is two numbers a row.
    eps : float > 0, default 1e-8
    weight_decay : float >= 0, default 0
        A touched row shrinks by lr * weight_decay.
    n_jobs : int or None, default None
        Threads of the core; changes the speed, never the result.
    fused : bool, default False
        Use the Triton kernels of `hashslide.torch.fused`, for parameters on a GPU.

    References
    ----------
    Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        weight_decay: float = 0.0,
        n_jobs: int | None = None,
        fused: bool = False,
    ) -> None:
        defaults = {
            "lr": _check("lr", lr, 0, False),
            "betas": tuple(_check("a beta", beta, 0, False, 1) for beta in betas),
            "eps": _check("eps", eps, 0, True),
            "weight_decay": _check("weight_decay", weight_decay, 0, False),
        }
        super().__init__(params, defaults, n_jobs, fused)

    def _update(self, group: dict[str, Any], parameter: Tensor, rows: Any, gradient: Tensor) -> None:
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        if "steps" not in state:
            state["steps"] = torch.zeros(len(parameter), dtype=torch.int32, device=parameter.device)
            state["second"] = torch.zeros(len(parameter), dtype=torch.float32, device=parameter.device)
            if beta1 > 0:
                state["first"] = torch.zeros_like(parameter, dtype=torch.float32)
        keep = 1 - group["lr"] * group["weight_decay"]
        settings = (group["lr"], (beta1, beta2), group["eps"], keep, self._key(state))
        self._make_step("adam_rows", parameter, rows, gradient, state, *settings)


class JoinedOptimizer(torch.optim.Optimizer):
    """Several optimisers as one, for trainers that expect one: of the trunk, and of the rows of the head.

    Its ``param_groups`` are those of its parts, so that schedulers reach all of them.

    Parameters
    ----------
    *optimizers : torch.optim.Optimizer

    Examples
    --------
    >>> import torch
    >>> from hashslide.torch import JoinedOptimizer, RowAdagrad, SlideLoss
    >>> trunk, head = torch.nn.Linear(4, 8), SlideLoss(8, 1000)
    >>> optimizer = JoinedOptimizer(
    ...     torch.optim.AdamW(trunk.parameters(), 1e-3), RowAdagrad(head.parameters(), 0.1)
    ... )
    """

    def __init__(self, *optimizers: torch.optim.Optimizer) -> None:
        if not optimizers or not all(isinstance(part, torch.optim.Optimizer) for part in optimizers):
            raise InputError("JoinedOptimizer takes one or more torch optimisers.")
        self.optimizers = optimizers
        groups = [group for part in optimizers for group in part.param_groups]
        super().__init__(groups, {})
        self._share()

    def _share(self) -> None:
        """Let the parts and the whole see the same groups."""
        self.param_groups = [group for part in self.optimizers for group in part.param_groups]

    def __getstate__(self) -> dict[str, Any]:
        return {"optimizers": self.optimizers}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(*state["optimizers"])  # type: ignore[misc]

    @property
    def state(self) -> defaultdict[Tensor, Any]:
        """State of all parameters."""
        return defaultdict(
            dict, {key: value for part in self.optimizers for key, value in part.state.items()}
        )

    @state.setter
    def state(self, value: Any) -> None:
        """Leave it to the parts, which keep it."""

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step of each part; `closure` is called once."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.optimizers:
            part.step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters."""
        for part in self.optimizers:
            part.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the parts."""
        return {"optimizers": [part.state_dict() for part in self.optimizers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the states of the parts."""
        states = state_dict.get("optimizers", [])
        if len(states) != len(self.optimizers):
            raise InputError(
                f"the state is of {len(states)} optimisers; this joins {len(self.optimizers)} of them."
            )
        for part, state in zip(self.optimizers, states, strict=True):
            part.load_state_dict(state)
        self._share()
