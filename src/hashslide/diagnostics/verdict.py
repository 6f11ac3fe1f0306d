"""From the runs of `advise` to a recommendation in words, with the figures that it rests on."""

from typing import Any

from hashslide.diagnostics.trials import Outcome, Run

__all__ = ["ERRORS", "MANY_OF_ALL", "STAGES", "USABLE", "conclude", "of_sample"]


def __dir__() -> list[str]:
    return __all__


MANY_OF_ALL = 0.5  # share of the labels below which a sample says little of the whole
ERRORS = 2.0  # standard errors that are noise
USABLE = ("uniform", "more", "hash", "full")  # in a real training
STAGES = {
    "hidden_forward": "hidden layers",
    "hidden_backward": "hidden layers",
    "active_set": "choosing the active set",
    "output_forward": "output layer",
    "output_backward": "output layer",
    "loss": "loss",
    "rehash": "re-hashing",
}


def conclude(runs: list[Run], k: int) -> tuple[str, dict[str, Any], list[str]]:
    """Return verdict, settings and reasons.

    A change is recommended if its P@k is better by more than noise than all that the default reaches in the
    same time; of several, the best.
    """
    judge = _Judge(runs, k)
    usable = [(run, run.equal_time) for run in runs if run.kind in USABLE]
    better = [(run, outcome) for run, outcome in usable if outcome is not None and judge.is_better(outcome)]
    reasons = [
        *judge.of_oracles(),
        *judge.of_hashing(),
        *judge.of_others(),
        *judge.of_length(),
        *judge.of_curve(),
        judge.of_time(),
    ]
    if not better:
        return _keep(judge, runs), {}, reasons
    best, outcome = max(better, key=lambda pair: pair[1].difference)
    verdict = f"Change the active set to {best.name!r}: {judge.words(outcome)} in the same time."
    if best.kind != "hash":
        verdict += " Hash tables are not what this takes."
    return verdict, best.settings, reasons


def _keep(judge: "_Judge", runs: list[Run]) -> str:
    oracles = [run for run in runs if run.kind == "oracle"]
    if not oracles:
        return "Keep the default; whether hard negatives could help was not measured."
    best = judge.best(oracles)
    name, steps = best.name.removeprefix("+ "), judge.words(best.equal_steps)
    if not judge.is_better(best.equal_steps):
        return (
            f"Keep the default: hard negatives do not pay here. Even {name}, found by looking at all labels, "
            f"brings {steps} after the same steps; no hash table can find better ones."
        )
    if best.equal_time is not None and not judge.is_better(best.equal_time):
        return (
            f"Keep the default: hard negatives do not pay here. {name.capitalize()} brings {steps} after the "
            f"same steps, but in the same time, even if finding them were free, "
            f"{judge.words(best.equal_time)}."
        )
    return (
        f"Keep the default: hard negatives help here, {name} brings {steps} after the same steps, but no "
        "tried hash family finds them cheaply enough to gain in the same time."
    )


class _Judge:
    def __init__(self, runs: list[Run], k: int) -> None:
        self.runs, self.k = runs, k
        self.default = runs[0]
        self.seed = max((abs(run.equal_steps.difference) for run in runs if run.kind == "seed"), default=0.0)

    def noise(self, outcome: Outcome) -> float:
        """Return the size of a difference that means nothing."""
        return max(ERRORS * outcome.standard_error, self.seed)

    def is_better(self, outcome: Outcome) -> bool:
        return outcome.difference > self.noise(outcome)

    def words(self, outcome: Outcome) -> str:
        """Return a difference with its noise."""
        text = f"P@{self.k} {outcome.difference:+.4f} ± {self.noise(outcome):.4f}"
        return text if abs(outcome.difference) > self.noise(outcome) else f"{text} (noise)"

    def best(self, runs: list[Run]) -> Run:
        return max(runs, key=lambda run: run.equal_steps.difference)

    def of(self, *kinds: str) -> list[Run]:
        return [run for run in self.runs if run.kind in kinds]

    def of_oracles(self) -> list[str]:
        found = self.of("oracle")
        if not found:
            return []
        best = self.best(found)
        text = f"Ceiling of hashing: of the oracles, {best.name} ({best.share:.2%} of the labels) is best"
        text += f" after the same steps, {self.words(best.equal_steps)}"
        if best.equal_time is not None:
            text += f"; in the same time, were its search free, {self.words(best.equal_time)}"
        for run in self.of("more"):
            text += f". More random negatives instead ({run.name}): {self.words(run.equal_steps)}"
        return [text + "."]

    def of_hashing(self) -> list[str]:
        found = self.of("hash")
        if not found:
            return []
        best = self.best(found)
        text = f"Hashing: {best.name} is best after the same steps, {self.words(best.equal_steps)}, "
        return [text + self.cost(best)]

    def of_others(self) -> list[str]:
        return [
            f"{run.name[0].upper()}{run.name[1:]}: {self.words(run.equal_steps)} after the same steps, "
            + self.cost(run)
            for run in self.of("uniform", "more", "full")
        ]

    def cost(self, run: Run) -> str:
        slower = run.equal_steps.seconds / self.default.equal_steps.seconds
        text = f"in {slower:.1f} times the time"
        if run.equal_time is not None:
            text += f"; {self.words(run.equal_time)} in the same time"
        return text + "."

    def of_length(self) -> list[str]:
        """Say so if fewer steps serve the default better."""
        run = max(self.of("shorter"), key=lambda run: run.equal_steps.difference, default=None)
        if run is None or not self.is_better(run.equal_steps):
            return []
        steps, all_steps = run.equal_steps.steps, self.default.equal_steps.steps
        return [
            f"Length: {steps:,} steps instead of {all_steps:,} are better here, "
            f"{self.words(run.equal_steps)}; 'in the same time' compares with that."
        ]

    def of_curve(self) -> list[str]:
        curve = self.of("share")
        if not curve:
            return []
        points = ", ".join(f"{run.equal_steps.precision[self.k]:.4f} at {run.share:.2%}" for run in curve)
        text = f"Share: with the exact top share of the labels as only negatives, P@{self.k} is {points}."
        if curve[-1].share == 1.0:
            whole, noise = curve[-1].equal_steps.precision[self.k], self.noise(curve[-1].equal_steps)
            least = next(run for run in curve if run.equal_steps.precision[self.k] >= whole - noise)
            text += f" So {least.share:.2%} are as good as all."
        return [text]

    def of_time(self) -> str:
        total = sum(self.default.stage_seconds.values())
        shares: dict[str, float] = {}
        for stage, seconds in self.default.stage_seconds.items():
            shares[STAGES[stage]] = shares.get(STAGES[stage], 0.0) + seconds / max(total, 1e-9)
        ordered = sorted(shares.items(), key=lambda item: -item[1])
        parts = ", ".join(f"{name} {share:.0%}" for name, share in ordered if share >= 0.005)
        return f"Where the default's time goes: {parts}."


def of_sample(n_labels: int, all_labels: int) -> list[str]:
    """Say so if the sample has few of the labels."""
    if n_labels >= MANY_OF_ALL * all_labels:
        return []
    return [
        f"Limits: the sample has {n_labels:,} of the {all_labels:,} labels in the data. With more labels "
        "other negatives may pay: repeat with more examples and more seconds before you rely on this."
    ]
