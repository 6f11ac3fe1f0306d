"""``hashslide predict``: the best labels of each example, with scores."""

from typing import Annotated

import typer

from hashslide.cli import _options as opt
from hashslide.cli.inputs.reader import LineForm, Reader, reads_data

__all__ = ["predict"]


def __dir__() -> list[str]:
    return __all__


@reads_data
def predict(
    model: opt.ModelArgument,
    source: Annotated[
        str,
        opt.data_argument(
            "DATA", f"{opt.DATA_HELP} With --by-name or --lines: a text file, or - for standard input."
        ),
    ] = opt.STANDARD_INPUT,
    query: Annotated[
        list[str] | None,
        typer.Option("--query", metavar="TEXT", help="Ask a model of texts this instead; repeatable."),
    ] = None,
    text: opt.TextOfModel = None,
    why: opt.Why = False,
    k: Annotated[int, typer.Option("-k", metavar="K", min=1, help="How many labels for each example.")] = 5,
    by_name: Annotated[
        bool,
        typer.Option("--by-name", help="Each line of DATA is an example: feature names, such as words."),
    ] = False,
    lines: Annotated[
        LineForm | None,
        typer.Option(help="Each line of DATA is an example in this form. Standard input: xmc."),
    ] = None,
    normalize: Annotated[
        bool | None,
        typer.Option(help="Scale examples to length 1, as tf-idf data are; default: only with --by-name."),
    ] = None,
    logits: Annotated[bool, typer.Option("--logits", help="Print raw scores, not probabilities.")] = False,
    approximate: opt.ApproximatePrediction = "auto",
    exclude: opt.Exclude = None,
    block: Annotated[
        int, typer.Option(min=1, metavar="N", help="Lines read before any is answered; 1 in a dialogue.")
    ] = 1024,
    feature_names: opt.FeatureNamesFile = None,
    jobs: opt.Jobs = None,
    json: opt.Json = False,
    *,
    reader: Reader,
) -> None:
    """Print the best labels of each example, best first, with probabilities.

    Of a folder or built-in set, the test part is used. Labels in DATA are
    ignored. With --json, each example is one line:
    {"example": 0, "labels": [...], "scores": [...]}

    [bold]Examples[/bold]

    \b
        hashslide predict mesh.hashslide pubmed-mesh -k 3 | head
        echo "insulin glucose rats" | hashslide predict mesh.hashslide --by-name
        echo "17:0.6 204:0.8" | hashslide predict mesh.hashslide --json
        hashslide predict mesh.hashslide questions.txt --by-name --logits
        hashslide predict products.hashslide --query "red shoes" --why
        hashslide predict items.hashslide baskets.txt --exclude input -k 10
    """
    # Not before: --help need not wait for it.
    from hashslide.cli.actions import predict_text
    from hashslide.cli.actions.predict import Answers, run

    form = LineForm.names if by_name else lines
    asked = predict_text.Asked(source, query, text, form, why)
    if predict_text.is_wanted(model, asked, reader):
        told = predict_text.TextAnswers(k, not logits, approximate, why, json)
        predict_text.run(model, asked, block, told, jobs, reader)
        return
    answers = Answers(k, probabilities=not logits, approximate=approximate, json=json)
    run(model, source, form, normalize, block, feature_names, exclude, answers, jobs, reader)
