"""Draw the figure of the README from the table of docs/benchmarks.md.

    python -m benchmarks.rivals.figure

Each panel is a data set, each mark a method: how long it trains, relative to hashslide, and how good its
first five predictions are. One file for light pages and one for dark ones.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "benchmarks.md"
TARGET = ROOT / "docs" / "_static"
METRIC = "nDCG@5"
TIME = "train, \N{MULTIPLICATION SIGN} ours"
MARGIN = 0.012
TIMES = [1, 2, 3, 5, 7]
COLOURS = {"light": ("#1f2328", "#d1d9e0"), "dark": ("#e6edf3", "#3d444d")}  # of text and lines, of the grid
METHODS = {  # how each is drawn
    "hashslide": ("*", "#e8590c", 260),
    "PECOS XR-Linear": ("o", "#4dabf7", 70),
    "Omikuji": ("s", "#38b06b", 62),
    "PyTorch, sampled": ("D", "#9775fa", 56),
}

Methods = dict[str, tuple[float, float]]  # of each method training time and metric


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    results = read_table(TABLE)
    for theme, (ink, grid) in COLOURS.items():
        path = TARGET / f"rivals-{theme}.svg"
        draw(results, ink, grid).savefig(path, transparent=True, metadata={"Date": None})
        print(path.relative_to(ROOT))


def read_table(path: Path) -> dict[str, Methods]:
    """Return the training time and the metric of each method on each data set: set -> method -> (x, y).

    The table is the first of the page that has a column of the metric.
    """
    results: dict[str, Methods] = {}
    columns: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip(" *") for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            if results:
                break
        elif METRIC in cells:
            columns = cells
        elif columns and not set(line) <= set("|-: "):
            row = dict(zip(columns, cells, strict=True))
            name = row[columns[0]] or next(reversed(results))
            results.setdefault(name, {})[row["method"]] = (float(row[TIME]), float(row[METRIC]))
    return results


def draw(results: dict[str, Methods], ink: str, grid: str) -> Figure:
    """Return the figure in the colours of a theme."""
    style = {"svg.hashsalt": "hashslide", "svg.fonttype": "path", "font.size": 11, "text.color": ink}
    with mpl.rc_context(style):
        figure = Figure((10, 3.4), layout="constrained")
        panels = figure.subplots(1, len(results))
        height = max(map(spread, results.values())) + 2 * MARGIN  # the same scale in all panels
        for axes, (name, methods) in zip(panels, results.items(), strict=True):
            draw_panel(axes, name, methods, height, ink, grid)
        panels[0].set_ylabel(METRIC, color=ink)
        figure.supxlabel("training time, relative to hashslide", color=ink, fontsize=11)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
        return figure


def spread(methods: Methods) -> float:
    """Return how far the metrics of the methods lie apart."""
    values = [value for _, value in methods.values()]
    return max(values) - min(values)


def draw_panel(axes, name: str, methods: Methods, height: float, ink: str, grid: str) -> None:
    """Draw the methods on one data set."""
    for method, (time, value) in methods.items():
        marker, colour, size = METHODS[method]
        axes.scatter(time, value, size, colour, marker=marker, label=method, zorder=3)
    axes.set_xscale("log")
    axes.set_xlim(0.8, 8.5)
    axes.xaxis.set_major_locator(FixedLocator(TIMES))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{time}x" for time in TIMES])
    top = max(value for _, value in methods.values()) + MARGIN
    axes.set_ylim(top - height, top)
    axes.set_title(name, color=ink, fontsize=11)
    axes.grid(color=grid, linewidth=0.8)
    axes.tick_params(colors=ink)
    axes.patch.set_alpha(0)
    for spine in axes.spines.values():
        spine.set_color(grid)


if __name__ == "__main__":
    main()
