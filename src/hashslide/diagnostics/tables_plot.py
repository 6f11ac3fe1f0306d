"""The figure of `hashslide inspect MODEL --tables`: bucket sizes, and recall against the share scored."""

from typing import Any

from hashslide.diagnostics.plots import new_figure

__all__ = ["RANDOM", "draw"]


def __dir__() -> list[str]:
    return __all__


RANDOM = [10 ** (i / 10 - 6) for i in range(61)]  # shares from 1e-6 to 1


def draw(reports: list[dict[str, Any]]) -> Any:
    """Return the figure: for each layer its buckets by size and, where it was measured, its recall."""
    figure, axes = new_figure(len(reports), 2, (12, 4.5 * len(reports)))
    for row, report in zip(axes, reports, strict=True):
        _draw_sizes(row[0], report)
        _draw_recall(row[1], report)
    return figure


def _draw_sizes(axes: Any, report: dict[str, Any]) -> None:
    edges, counts = zip(*report["histogram"], strict=True)
    labels = [str(edge) if edge < 2 else f"{edge}-{2 * edge - 1}" for edge in edges]
    axes.bar(range(len(edges)), counts)
    axes.set_xticks(range(len(edges)), labels, rotation=30)
    axes.set_yscale("symlog")
    axes.set_xlabel("members of a bucket")
    axes.set_ylabel("buckets, of all tables")
    axes.set_title(
        f"{report['layer']}: {report['family']}, {report['tables']} x {report['buckets']:,} buckets"
    )


def _draw_recall(axes: Any, report: dict[str, Any]) -> None:
    axes.set_title("recall against share of neurons scored")
    axes.set_xlabel("share of the neurons scored")
    axes.set_ylabel("share of the true best found")
    if "recall" not in report:
        axes.text(0.5, 0.5, "give DATA to measure", ha="center", transform=axes.transAxes)
        return
    scored = [point["scored"] for point in report["recall"]]
    for k in report["recall"][0]["recall"]:
        axes.plot(scored, [point["recall"][k] for point in report["recall"]], "o-", label=f"top {k}")
    most = max(point["tables"] for point in report["recall"])
    for point in report["recall"]:
        if point["tables"] == most and point["scored"] > 0:
            place = (point["scored"], point["recall"][min(point["recall"])])
            probes = f"{most} tables" if point["probes"] == 1 else f"{point['probes']} probes"
            axes.annotate(
                probes, place, xytext=(-5, 4), textcoords="offset points", fontsize="small", ha="right"
            )
    axes.plot(RANDOM, RANDOM, ":", color="grey", label="random neurons")
    positive = [share for share in scored if share > 0]
    if positive:
        axes.set_xlim(min(positive) / 1.5, max(positive) * 2)
    axes.set_ylim(0, 1.03)
    axes.set_xscale("log")
    axes.legend()
