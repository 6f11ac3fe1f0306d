"""``hashslide advise``: whether hashing pays on the user's data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hashslide.cli._options import (
    CharNgrams,
    ColumnWeights,
    DataArgument,
    HashedTerms,
    HelpAdvanced,
    Hidden,
    Idf,
    Jobs,
    Json,
    LogCounts,
    MaxTerms,
    MinDocuments,
    Text,
    WordNgrams,
    reader,
)
from hashslide.cli.inputs.reader import Reader, reads_data
from hashslide.settings.hash_families import HASH_FAMILIES, Hash

__all__ = ["FAMILIES", "SHARES", "PlotFile", "advise"]


def __dir__() -> list[str]:
    return __all__


SHARES = "0.0005,0.005"
FAMILIES = "kmeans,dwta,simhash"

PlotFile = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw to FILE.png, or to one page FILE.html.")
]


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a list of numbers such as 0.0005,0.005.") from None


@dataclass(frozen=True)
class _Families(Hash):
    """Several hash families."""

    def check(self, name: str, value: Any) -> Any:
        return [
            super(_Families, self).check(name, v) for v in (value if isinstance(value, list) else [value])
        ]


def _families(text: str) -> list[Any]:
    if not text.strip():
        return []
    found = reader("families", _Families(HASH_FAMILIES))(text)
    return found if isinstance(found, list) else [found]


@reads_data
def advise(
    context: typer.Context,
    source: DataArgument,
    text: Text = None,
    seconds: Annotated[float, typer.Option(metavar="X", min=1, help="Time to take, about.")] = 120,
    examples: Annotated[
        int, typer.Option(metavar="N", min=100, help="Size of the sample, at most.")
    ] = 20_000,
    shares: Annotated[
        str,
        typer.Option(
            parser=_numbers, metavar="X,X,...", help="Hard negatives of an example, as shares of the labels."
        ),
    ] = SHARES,
    families: Annotated[
        str,
        typer.Option(
            parser=_families, metavar="FAMILY,...", help="Hash families to try, as 'kmeans, dwta(tables=20)'."
        ),
    ] = FAMILIES,
    hidden: Hidden = "256",
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of all random numbers.")] = 0,
    plot: PlotFile = None,
    word_ngrams: WordNgrams = 2,
    char_ngrams: CharNgrams = "auto",
    min_documents: MinDocuments = "auto",
    max_terms: MaxTerms = 1_000_000,
    hashed_terms: HashedTerms = None,
    idf: Idf = "yes",
    log_counts: LogCounts = "yes",
    column_weight: ColumnWeights = None,
    jobs: Jobs = None,
    json: Json = False,
    help_advanced: HelpAdvanced = False,
    *,
    reader: Reader,
) -> None:
    """Find out whether hashing pays on your data, before a long training.

    Trains on a sample with different active sets: labels of the batch, random
    ones, the best ones found by looking at all labels (which no hash table can
    beat), and those found by hashing; and says which is worth its time.

    [bold]Examples[/bold]

    \b
        hashslide advise pubmed-mesh
        hashslide advise shop.tsv --text title --labels tags
        hashslide advise deps.npz --seconds 600 --examples 50000 --plot advice.html
    """
    from hashslide.cli.actions.advise import run  # not before: --help need not wait for it

    run(
        context.params,
        reader,
        examples=examples,
        seconds=seconds,
        shares=shares,
        families=families,
        hidden=hidden,
        random_state=seed,
        n_jobs=jobs,
    )
