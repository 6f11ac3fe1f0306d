"""Data sets: readers and writers of the common formats, names of ids, a built-in set, facts, divisions."""

from ._repairs import RepairWarning
from .datasets import Dataset, builtin, builtin_names, builtin_path
from .formats import convert, load, save
from .labels import label_lists, label_matrix
from .names import load_names, save_names
from .npz import load_npz, save_npz
from .parquet import load_parquet, parquet_names, save_parquet
from .summary import describe, train_validation_split
from .svmlight import load_svmlight, save_svmlight
from .xmc import load_xmc, save_xmc

__all__ = [
    "Dataset",
    "RepairWarning",
    "builtin",
    "builtin_names",
    "builtin_path",
    "convert",
    "describe",
    "label_lists",
    "label_matrix",
    "load",
    "load_names",
    "load_npz",
    "load_parquet",
    "load_svmlight",
    "load_xmc",
    "parquet_names",
    "save",
    "save_names",
    "save_npz",
    "save_parquet",
    "save_svmlight",
    "save_xmc",
    "train_validation_split",
]
