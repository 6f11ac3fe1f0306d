"""The figure of `hashslide advise`: accuracy against time and share, and where the time goes."""

from typing import Any

from hashslide.diagnostics.advice import Advice
from hashslide.diagnostics.plots import new_figure
from hashslide.diagnostics.verdict import STAGES

__all__ = ["COLOURS", "MEANINGS", "draw"]


def __dir__() -> list[str]:
    return __all__


COLOURS = {
    "default": "black",
    "shorter": "grey",
    "seed": "grey",
    "uniform": "tab:blue",
    "more": "tab:cyan",
    "oracle": "tab:red",
    "hash": "tab:green",
    "full": "tab:purple",
}
MEANINGS = {
    "default": "default",
    "shorter": "default, other length or random numbers",
    "uniform": "fewer or uncorrected random negatives",
    "more": "more random negatives",
    "oracle": "oracle: exact hard negatives",
    "hash": "hashed hard negatives",
    "full": "all labels",
}


def draw(advice: Advice) -> Any:
    """Return the figure of an `Advice`."""
    figure, axes = new_figure(3, 1, (12, 15))
    k = advice.facts["k"]
    figure.suptitle(f"{advice.facts['examples']:,} examples, {advice.facts['labels']:,} labels")
    _draw_time(axes[0, 0], advice, k)
    _draw_share(axes[1, 0], advice, k)
    _draw_stages(axes[2, 0], advice)
    return figure


def _draw_time(axes: Any, advice: Advice, k: int) -> None:
    runs = sorted(
        (run for run in advice.runs if run.kind != "share"), key=lambda run: -run.equal_steps.precision[k]
    )
    names = []
    for place, run in enumerate(runs):
        found, colour = run.equal_steps, COLOURS[run.kind]
        axes.errorbar(
            found.precision[k], place, xerr=2 * found.standard_error, fmt="o", color=colour, capsize=3
        )
        names.append(f"{run.name}, {found.seconds:.1f} s")
        if run.equal_time is not None:
            axes.plot(run.equal_time.precision[k], place, "x", color=colour)
    axes.axvline(advice.runs[0].equal_steps.precision[k], color="black", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"P@{k}; bars: 2 standard errors of the difference to the default")
    axes.set_title(
        "Active sets: dot after the same steps, cross in the same time (oracles: were their search free)"
    )
    kinds = {run.kind for run in runs}
    for kind, meaning in MEANINGS.items():
        if kind in kinds:
            axes.plot([], [], "o", color=COLOURS[kind], label=meaning)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize="small")


def _draw_share(axes: Any, advice: Advice, k: int) -> None:
    curve = [run for run in advice.runs if run.kind == "share"]
    axes.set_title("Accuracy against share: the exact top share of the labels as only negatives")
    axes.set_xlabel("share of the labels")
    axes.set_ylabel("precision")
    if not curve:
        axes.text(0.5, 0.5, "not measured for lack of time", ha="center", transform=axes.transAxes)
        return
    for rank in sorted({1, k}):
        shares = [run.share for run in curve]
        axes.plot(shares, [run.equal_steps.precision[rank] for run in curve], "o-", label=f"P@{rank}")
        default = advice.runs[0].equal_steps.precision[rank]
        axes.axhline(default, color="black", linewidth=0.8, linestyle="--" if rank == 1 else ":")
        axes.annotate(f"default, P@{rank}", (shares[0], default), va="bottom", fontsize="small")
    axes.set_xscale("log")
    axes.legend()


def _draw_stages(axes: Any, advice: Advice) -> None:
    runs = [run for run in advice.runs if run.kind != "share"]
    left = [0.0] * len(runs)
    for name in dict.fromkeys(STAGES.values()):
        widths = [
            sum(seconds for stage, seconds in run.stage_seconds.items() if STAGES[stage] == name)
            for run in runs
        ]
        axes.barh(range(len(runs)), widths, left=left, label=name)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(runs)), [run.name for run in runs])
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.set_title("Where the time goes, after the same steps")
    axes.legend(fontsize="small")
