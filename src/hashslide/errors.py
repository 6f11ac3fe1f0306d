"""Every exception that hashslide raises on purpose."""

__all__ = [
    "CpuError",
    "DataFileError",
    "HashslideError",
    "InputError",
    "InputTypeError",
    "ModelBusyError",
    "ModelFileError",
    "OutputError",
    "WorkerError",
]


def __dir__() -> list[str]:
    return __all__


class HashslideError(Exception):
    """Base class of all exceptions of this package."""


class InputError(HashslideError, ValueError):
    """An argument or array is not acceptable.

    The message says what was found, what is accepted and what to do.
    """


class InputTypeError(InputError, TypeError):
    """An object array holds something that is no number; scikit-learn wants a TypeError for it."""


class DataFileError(HashslideError, ValueError):
    """A data file cannot be read; the message names the file, the line and the remedy."""


class ModelFileError(HashslideError, ValueError):
    """A model file is missing parts, truncated, foreign or from a newer version."""


class OutputError(HashslideError, OSError):
    """A file cannot be written; the message says why and what to do. An old file of the name is unchanged."""


class ModelBusyError(HashslideError, RuntimeError):
    """The model cannot be used now: it is being changed, and waiting for that would never end."""


class CpuError(HashslideError, RuntimeError):
    """``HASHSLIDE_ISA`` names an instruction set that this build or this CPU lacks."""


class WorkerError(HashslideError, RuntimeError):
    """A worker of a training on several processes or machines has died, or does not answer in time."""
