"""Data sets: readers and writers of the common formats, names of ids, a built-in set, facts, divisions."""

from ._repairs import RepairWarning
from .datasets import Dataset, builtin, builtin_names, builtin_path
from .formats import convert, load, load_named, save
from .labels import label_lists, label_matrix
from .names import load_names, save_names
from .npz import load_npz, save_npz
from .pack import Pack
from .summary import describe, train_validation_split
from .svmlight import load_svmlight, save_svmlight
from .tables.csv import load_csv
from .tables.names import table_names
from .tables.parquet import load_parquet, save_parquet
from .texts.reading import load_texts
from .texts.rows import TextTable
from .xmc import load_pairs, load_xmc, save_xmc

__all__ = [
    "Dataset",
    "Pack",
    "RepairWarning",
    "TextTable",
    "builtin",
    "builtin_names",
    "builtin_path",
    "convert",
    "describe",
    "label_lists",
    "label_matrix",
    "load",
    "load_csv",
    "load_named",
    "load_names",
    "load_npz",
    "load_pairs",
    "load_parquet",
    "load_svmlight",
    "load_texts",
    "load_xmc",
    "save",
    "save_names",
    "save_npz",
    "save_parquet",
    "save_svmlight",
    "save_xmc",
    "table_names",
    "train_validation_split",
]


def __dir__() -> list[str]:
    return __all__
