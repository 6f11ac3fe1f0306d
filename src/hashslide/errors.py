"""Every exception that hashslide raises on purpose."""


class HashslideError(Exception):
    """Base class of all exceptions of this package."""


class InputError(HashslideError, ValueError):
    """An argument or array is not acceptable; the message says what was found, what is accepted and what to do."""


class DataFileError(HashslideError, ValueError):
    """A data file cannot be read; the message names the file, the line and the remedy."""


class ModelFileError(HashslideError, ValueError):
    """A model file is missing parts, truncated, foreign or from a newer version."""


class CpuError(HashslideError, RuntimeError):
    """``HASHSLIDE_ISA`` names an instruction set that this build or this CPU lacks."""
