"""Show what the hash tables of a model hold and find: ``hashslide inspect MODEL --tables``."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hashslide.cli._console import note, print_facts, print_json, print_table, readable_bytes
from hashslide.cli.inputs.models import fit_features, load_classifier
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.sources import part_path
from hashslide.diagnostics import plots, tables
from hashslide.diagnostics.tables_plot import draw
from hashslide.network import Network
from hashslide.settings.hash_families import TableFamily

__all__ = ["RECALL_COLUMNS", "show_tables"]


def __dir__() -> list[str]:
    return __all__


RECALL_COLUMNS = ("tables", "probes", "true top 1 found", "true top 5 found", "neurons scored")


def show_tables(
    model: Path,
    source: str | None,
    family: TableFamily | str | None,
    queries: int,
    plot: Path | None,
    jobs: int | None,
    json: bool,
    reader: Reader,
) -> None:
    """Print occupancy and, with data, recall of the tables of a model, or of those that it might have.

    Parameters
    ----------
    model : Path
    source : str or None
        DATA: its test part is looked up.
    family : TableFamily, name of one, or None
        Hash family of tables to build over the output layer, instead of the model's own tables.
    queries : int
        Rows of DATA to take, at most.
    plot : Path or None
    jobs : int or None
    json : bool
    reader : Reader
    """
    if plot is not None:
        plots.check_plot_path(plot)
    classifier = load_classifier(model, jobs)
    network = classifier.network_
    inputs = None
    if source is not None:
        part = reader.load(part_path(source, "test"))
        rows = np.sort(np.random.default_rng(0).permutation(part.X.shape[0])[:queries])
        inputs = tables.queries_of(network, fit_features(part, classifier, None, reader.drop_unknown)[rows])
    reports = list(_reports(network, family, inputs))
    if json:
        print_json({"model": str(model), "layers": reports})
    elif not reports:
        note("The model has no hash tables. Name a family, as in --hash kmeans, to see what they would hold.")
    else:
        for report in reports:
            _print(report)
    if plot is not None and reports:
        found = [table for report in reports for table in _recall_tables(report)]
        plots.save_plot(plot, draw(reports), f"Hash tables of {model.name}", map(_sentence, reports), found)
        if not json:
            note(f"Wrote {plot}.")


def _reports(
    network: Network, family: TableFamily | str | None, inputs: dict[str, Any] | None
) -> Iterator[dict[str, Any]]:
    layers: Iterable[tables.LayerTables]
    if family:
        layers = [tables.what_if(network, family, inputs["output"] if inputs else None)]
    else:
        layers = tables.hashed_layers(network)
    for layer in layers:
        report = {
            "layer": layer.name,
            "in_model": family is None,
            "family": layer.hash.name,
            "sampler": None if layer.sampler is None else layer.sampler.name,
            "hashes": getattr(layer.hash, "hashes", None),
        }
        report |= asdict(tables.occupancy(layer))
        if inputs is not None and report["built"]:
            queries = inputs[layer.name]
            report["queries"] = queries.shape[0]
            report["recall"] = [asdict(point) for point in tables.recall(layer, queries)]
            if layer.own_index is not None:
                report["active_share"] = tables.active_share(layer, queries)
        yield report


def _print(report: dict[str, Any]) -> None:
    kind = "" if report["in_model"] else ", not the model's own"
    facts = {
        "neurons": report["neurons"],
        "tables": f"{report['tables']}, of {report['buckets']:,} buckets",
        "hashes per table": "learned" if report["family"] == "kmeans" else report["hashes"],
    }
    if report["built"]:
        facts |= {
            "buckets used": f"{report['used']:.2%}",
            "size of those": f"mean {report['mean']:.4g}, median {report['median']:.4g}, "
            f"99 % {report['p99']:.4g}, largest {report['largest']:,}",
            "neurons in full buckets": f"{report['full']:.2%}",
            "chance of collision": f"{report['collisions']:.3g} (even: {1 / report['buckets']:.3g})",
            "memory": readable_bytes(report["memory_bytes"]),
        }
    else:
        facts["state"] = "not built: the training ended before the first build (rehash_first)"
    if "active_share" in report:
        facts["active"] = f"{report['active_share']:.3%} of the neurons, by sampler {report['sampler']}"
    print_facts(f"{report['layer']}: {report['family']}{kind}", facts.items())
    for table in _histogram_tables(report) + _recall_tables(report):
        print_table(f"\n{table.title}", table.columns, table.rows)
    print_facts("", ())


def _histogram_tables(report: dict[str, Any]) -> list[plots.Table]:
    if not report["built"]:
        return []
    edges = [edge for edge, _ in report["histogram"]]
    ends = [
        *(f"-{after - 1:,}" if after - 1 > edge else "" for edge, after in pairwise(edges)),
        "+",
    ]
    rows = [
        (f"{edge:,}{end}", count)
        for (edge, count), end in zip(report["histogram"], ends, strict=True)
        if count
    ]
    return [plots.Table("buckets by size", ("members", "buckets"), rows)]


def _recall_tables(report: dict[str, Any]) -> list[plots.Table]:
    if "recall" not in report:
        return []
    rows = [
        (
            point["tables"],
            point["probes"],
            *(f"{point['recall'][k]:.1%}" for k in tables.RANKS),
            f"{point['scored']:.3%}",
        )
        for point in report["recall"]
    ]
    title = f"{report['layer']}: recall for {report['queries']:,} queries"
    return [plots.Table(title, RECALL_COLUMNS, rows)]


def _sentence(report: dict[str, Any]) -> str:
    return (
        f"{report['layer']}: {report['family']}, {report['tables']} tables of {report['buckets']:,} buckets "
        f"over {report['neurons']:,} neurons, {report['used']:.1%} of the buckets used, largest "
        f"{report['largest']:,}, {readable_bytes(report['memory_bytes'])}."
    )
