"""Figures to PNG files, or with their tables to one HTML page; needs the extra ``plot``."""

import base64
import html
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from hashslide._atomic import atomic_write, check_writable
from hashslide._os_errors import StrPath, as_path
from hashslide.errors import InputError

__all__ = ["DPI", "SUFFIXES", "Table", "check_plot_path", "new_figure", "save_plot"]


def __dir__() -> list[str]:
    return __all__


SUFFIXES = (".png", ".html")
DPI = 120
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0; font-variant-numeric: tabular-nums }
th, td { padding: .15em .8em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
img { max-width: 100% }
"""


class Table(NamedTuple):
    """A table below the figure of a page."""

    title: str
    columns: Iterable[str]
    rows: Iterable[Iterable[Any]]


def check_plot_path(path: StrPath) -> Path:
    """Return the path of a plot to be, before any work is done for it.

    Raises
    ------
    InputError
        The suffix is neither .png nor .html, or matplotlib is not installed.
    OutputError
        The file cannot be written.
    """
    path = as_path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"{path} does not say what to plot to; accepted are names in {' or '.join(SUFFIXES)}."
        )
    check_writable(path)
    _pyplot()
    return path


def new_figure(rows: int, columns: int, size: tuple[float, float]) -> Any:
    """Return a figure and its axes, shape (rows, columns)."""
    return _pyplot()(rows, columns, size)


def save_plot(
    path: Path, figure: Any, title: str, paragraphs: Iterable[str] = (), tables: Iterable[Table] = ()
) -> None:
    """Write a figure as PNG or, by the suffix, as one HTML page with words and tables around it."""
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=DPI)
    if path.suffix == ".png":
        _write(path, picture.getvalue())
        return
    words = "".join(f"<p>{html.escape(text)}</p>\n" for text in paragraphs)
    image = base64.b64encode(picture.getvalue()).decode()
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{html.escape(title)}</h1>\n{words}"
        f'<img alt="{html.escape(title)}" src="data:image/png;base64,{image}">\n'
        f"{''.join(map(_table, tables))}</body></html>\n"
    )
    _write(path, page.encode())


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as file:
        file.write(content)


def _table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in table.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in table.rows)
    return f"<h2>{html.escape(table.title)}</h2>\n<table><tr>{head}</tr>\n{rows}</table>\n"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        value = f"{value:.4g}"
    elif isinstance(value, int):
        value = f"{value:,}"
    return f"<td>{html.escape('-' if value is None else str(value))}</td>"


def _pyplot() -> Any:
    """Return a maker of figures that never opens a window and changes no global state."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("plots need matplotlib. Install it with: pip install 'hashslide[plot]'") from None

    def make(rows: int, columns: int, size: tuple[float, float]) -> Any:
        figure = Figure(size, layout="constrained")
        FigureCanvasAgg(figure)
        return figure, figure.subplots(rows, columns, squeeze=False)

    return make
