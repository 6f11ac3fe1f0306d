"""Answer questions until there are no more."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from hashslide.cli._console import note
from hashslide.cli._options import STANDARD_INPUT
from hashslide.cli.actions.predict_text import TextAnswers, open_lines
from hashslide.cli.inputs.texts import load_text_model
from hashslide.text.documents import in_columns

__all__ = ["run"]


def __dir__() -> list[str]:
    return __all__


PROMPT = "> "


def run(model: Path, k: int, why: bool, approximate: bool | str, jobs: int | None) -> None:
    """Answer each line of standard input; the parameters are those of the command."""
    loaded = load_text_model(model, jobs)
    answers = TextAnswers(k, True, approximate, why, json=False).within(loaded)
    for question in _questions(len(loaded.classes_)):
        answers.write(loaded, in_columns([question], loaded.features_.columns_), None)


def _questions(n_labels: int) -> Iterator[str]:
    if sys.stdin is None or not sys.stdin.isatty():
        with open_lines(STANDARD_INPUT) as source:
            yield from source.lines()
        return
    with suppress(ImportError):
        import readline  # noqa: F401  # gives `input` editing and a history, where the system has it
    note(f"The model knows {n_labels:,} labels. Write a text; Ctrl-D or an empty line ends.")
    while True:
        try:
            question = input(PROMPT)
        except EOFError:
            sys.stdout.write("\n")
            return
        if not question.strip():
            return
        yield question
