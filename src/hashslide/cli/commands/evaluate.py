"""``hashslide evaluate``: the metrics of a model on labelled data."""

from typing import Annotated, cast

import typer

from hashslide.cli import _options as opt
from hashslide.cli.inputs.reader import Reader, reads_data

__all__ = ["evaluate"]


def __dir__() -> list[str]:
    return __all__


@reads_data
def evaluate(
    model: opt.ModelArgument,
    source: opt.DataArgument,
    ranks: Annotated[
        str, typer.Option("-k", parser=opt.parse_ranks, metavar="K,K,...", help="Ranks of the metrics.")
    ] = opt.RANKS,
    propensity_a: Annotated[float, typer.Option(metavar="X", help="Constant A of the propensities.")] = 0.55,
    propensity_b: Annotated[float, typer.Option(metavar="X", help="Constant B of the propensities.")] = 1.5,
    exclude: opt.Exclude = None,
    text: opt.TextOfModel = None,
    approximate: opt.ApproximatePrediction = "auto",
    label_names: opt.LabelNamesFile = None,
    feature_names: opt.FeatureNamesFile = None,
    jobs: opt.Jobs = None,
    json: opt.Json = False,
    *,
    reader: Reader,
) -> None:
    """Measure a model on labelled data.

    Prints precision, recall, nDCG, their propensity-scored versions, coverage
    and the speed. Of a folder or built-in set, the test part is used.
    Propensities come from the label counts that the model keeps of its
    training; usual constants A, B: 0.55, 1.5; Wikipedia 0.5, 0.4; Amazon 0.6, 2.6.

    [bold]Examples[/bold]

    \b
        hashslide evaluate mesh.hashslide pubmed-mesh
        hashslide evaluate deps.hashslide npm-deps/test.txt.gz -k 1,10 --json
        hashslide evaluate titles.hashslide test.txt --exclude filter_labels_test.txt
        hashslide evaluate items.hashslide baskets.txt --exclude input
        hashslide evaluate products.hashslide test.tsv --labels tags
    """
    # Not before: --help need not wait for it.
    from hashslide.cli.actions.evaluate import Names, run

    parsed = cast("list[int]", ranks)  # as the parser of -k left them
    names = Names(label_names, feature_names)
    run(
        model,
        source,
        parsed,
        (propensity_a, propensity_b),
        exclude,
        approximate,
        names,
        text,
        jobs,
        json,
        reader,
    )
