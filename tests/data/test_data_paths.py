"""What is no path of a file is refused as such by everything that reads or writes one."""

import numpy as np
import pytest

from hashslide import SlideClassifier, data
from hashslide.callbacks import Checkpoint
from hashslide.errors import InputError

EYE = np.eye(2)
LOADERS = ("load_xmc", "load_svmlight", "load_npz", "load_parquet", "load_csv", "load_names")
SAVERS = (data.save_xmc, data.save_svmlight, data.save_npz, data.save_parquet)
CALLS = {
    "load": data.load,
    "load with a format": lambda path: data.load(path, format="xmc"),
    "load_named": data.load_named,
    "load_pairs": lambda path: data.load_pairs(path, (2, 2)),
    "save": lambda path: data.save(path, EYE, EYE),
    "save_names": lambda path: data.save_names(path, ["a"]),
    "convert from": lambda path: data.convert(path, "a.svm"),
    "convert to": lambda path: data.convert("a.txt", path),
    "load a model": SlideClassifier.load,
    "checkpoint": lambda path: SlideClassifier(callbacks=[Checkpoint(path)]).fit(EYE, EYE),
    "save a model": lambda path: SlideClassifier(hidden=2, epochs=1).fit(EYE, EYE).save(path),
    **{name: getattr(data, name) for name in LOADERS},
    **{save.__name__: lambda path, save=save: save(path, EYE, EYE) for save in SAVERS},
}


@pytest.mark.parametrize("path", [None, 0, ["a.txt"], b"a.txt", "", "a\0.txt"], ids=repr)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_what_is_no_path_is_refused(call, path):
    with pytest.raises(InputError, match="the path of a file is"):
        call(path)
