"""Progress of a training: a bar on a terminal, one plain line an epoch elsewhere."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hashslide.training import TrainingContext

from .base import Callback

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

__all__ = ["DECIDED_FIRST", "DECIDED_LAST", "Progress", "describe"]


def __dir__() -> list[str]:
    return __all__


DECIDED_FIRST = (
    "hidden",
    "epochs",
    "batch_size",
    "learning_rate",
    "loss",
    "input_dropout",
    "negatives",
    "sampler",
    "example_power",
)
DECIDED_LAST = ("ranker", "approximate")


class Progress(Callback):
    """Show the settings with their reasons; for each epoch the loss, the precision on the evaluation set, the
    speed, the active set and the memory; at last what was decided after the training.

    Parameters
    ----------
    file : text file, optional
        Where to write; standard error by default. On a terminal a bar moves with the batches; anywhere else
        one plain line is written for each epoch.
    """

    def __init__(self, file: Any = None) -> None:
        self.file = file
        self._bar: Bar | None = None
        self._console: Console | None = None

    def setup(self, estimator: Any, context: TrainingContext) -> None:
        """Say what is trained how, and start the bar."""
        from rich import progress

        screen = self._console = self._screen()
        if context.plan.n_epochs and not context.history:
            self.tell(estimator, DECIDED_FIRST)
        if screen.is_terminal:
            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeElapsedColumn(),
                progress.TimeRemainingColumn(),
                progress.TextColumn("{task.fields[figures]}"),
                console=screen,
                transient=True,
            )
            self._bar.start()

    def on_epoch_begin(self, estimator: Any, context: TrainingContext) -> None:
        """Begin the bar of this epoch."""
        if self._bar is not None:
            title = f"epoch {context.epoch + 1}/{context.plan.last_epoch}"
            self._task = self._bar.add_task(title, total=context.n_batches, figures="")

    def on_batch_end(self, estimator: Any, context: TrainingContext) -> None:
        """Move the bar."""
        if self._bar is not None:
            figures = f"loss {context.loss:.4g}  active {context.active:,.0f}"
            self._bar.update(self._task, completed=context.batch, figures=figures)

    def on_epoch_end(self, estimator: Any, context: TrainingContext) -> None:
        """Write the line of this epoch."""
        if self._bar is not None:
            self._bar.remove_task(self._task)
        if self._console is not None:
            self._console.print(describe(context.logs, context.plan.last_epoch), markup=False)

    def teardown(self, estimator: Any, context: TrainingContext) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()
        self._bar = self._console = None

    def tell(self, estimator: Any, names: Iterable[str]) -> None:
        """Write what some settings of a classifier have become, and why."""
        screen, settings = self._screen(), getattr(estimator, "settings_", {})
        for name in names:
            if name in settings:
                screen.print(f"{name}: {settings[name]}", markup=False)

    def _screen(self) -> "Console":
        from rich.console import Console

        return Console(file=self.file, stderr=self.file is None, highlight=False, soft_wrap=True)


def describe(record: dict[str, Any], n_epochs: int) -> str:
    """Return an epoch's record as one line of text."""
    validation = [f"{name[4:]} {record[name]:.4f}" for name in record if name.startswith("val_")]
    parts = [
        f"epoch {record['epoch']}/{n_epochs}",
        f"loss {record['loss']:.4g}",
        *validation,
        f"{record['examples_per_second']:,.0f} examples/s",
        f"active {record['active']:,.0f}",
        f"memory {record['memory_bytes'] / 1e9:.2f} GB",
    ]
    return "  ".join(parts)
