"""Feed damaged files to everything that reads files: the outcome is a valid result or an error of ours.

    python tests/tools/fuzz.py [--seconds 60] [--seed N] [--target model]

Files are changed byte by byte, and models also by their parts: numbers in settings and arrays become extreme,
parts vanish or change places. They are read in processes of their own, so that a crash or an endless loop is
caught. What fails is kept in tests/corpus/, where it becomes a test and a seed. See docs/how/robustness.md.
"""

import argparse
import contextlib
import copy
import functools
import gzip
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import sparse

from hashslide import SlideClassifier, data, model_file
from hashslide.errors import HashslideError

CORPUS = Path(__file__).parents[1] / "corpus"
SECONDS_PER_FILE = 20
SECONDS_PER_PROCESS = 5
MEMORY = 8 * 2**30
FAILED = 3
TOKENS = [
    b"\n",
    b" ",
    b",",
    b":",
    b"-",
    b"#",
    b"\r",
    b"\0",
    b"\xff",
    b".",
    b"nan",
    b"1e99",
    b"0",
    b"99999999999",
]
NUMBERS = [-1, 0, 1, 2, 255, 2**31 - 1, 2**31, 2**63 - 1, -(2**63), 2**64, 0.5, -0.5, 1e-45, 1e38, 1e308]
LEAVES = [*NUMBERS, None, True, False, "", "x", "auto", [], {}, [0], {"x": 0}]


# Reading: each of these returns, or raises an error of ours.


def read_model(path: Path) -> None:
    """Load a model, predict, train on and save it again."""
    for mmap in (True, False):
        model = SlideClassifier.load(path, mmap=mmap)
    rows = min(model.n_features_in_, 4)
    X = sparse.eye(rows, model.n_features_in_, format="csr", dtype=np.float32)
    labels, _ = model.predict_topk(X, 1)
    assert labels.shape == (rows, 1)
    if hasattr(model, "approximate_"):
        model.predict_topk(X, 1, approximate=True)
    assert repr(model)
    model.n_jobs = 2
    model.partial_fit(X, [[label] for label in labels[:, 0]] if model.multilabel_ else labels[:, 0])
    model.predict_topk(X, 1)
    model.save(path.with_name("again"))


def read_data(path: Path) -> None:
    """Load a data set, strictly or leniently by the length of the file."""
    X, Y = data.load(path, lenient=path.stat().st_size % 2 == 0)
    assert X.shape[0] == Y.shape[0]
    assert np.isfinite(X.data).all() and (Y.data == 1).all()
    for matrix in (X, Y):
        matrix.check_format(full_check=True)
        assert matrix.has_canonical_format


def read_names(path: Path) -> None:
    """Load names."""
    names = data.load_names(path)
    assert len(set(names)) == len(names) and all(names)


# Seeds: sound files, small.


def model_seeds(folder: Path) -> None:
    """Save models with every kind of array."""
    X = sparse.random(80, 30, 0.2, "csr", np.float32, random_state=0)
    Y = sparse.random(80, 20, 0.15, "csr", np.float32, random_state=1, data_rvs=np.ones)
    names = [[f"é{i}" for i in row.indices] for row in Y]
    common = {"hidden": 8, "epochs": 2, "batch_size": 16, "random_state": 0, "n_jobs": 1}
    for name, y, settings in (
        ("ids", Y, {}),
        ("names", names, {"optimizer": "adam", "ranker": True, "approximate": True}),
        ("tables", Y, {"hash": "dwta", "active": "per_example"}),
        ("classes", np.arange(80) % 5, {"hash": "simhash", "optimizer": "sgd"}),
    ):
        SlideClassifier(**common, **settings).fit(X, y).save(folder / name)


def data_seeds(*names: str) -> Callable[[Path], None]:
    """Return what saves a small data set under these names."""

    def save(folder: Path) -> None:
        X = sparse.random(12, 300, 0.05, "csr", np.float32, random_state=0)
        Y = sparse.random(12, 40, 0.1, "csr", np.float32, random_state=1, data_rvs=np.ones)
        for name in names:
            data.save(folder / name, X, Y)

    return save


def name_seeds(folder: Path) -> None:
    """Save a few names."""
    for name in ("names.txt", "names.txt.gz"):
        data.save_names(folder / name, ["cat", "dög", "日本語", "a b"])


# Damage


def mutate_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut, insert, repeat or change one to four pieces; text in sound gzip is changed inside."""
    if content[:2] == b"\x1f\x8b" and rng.random() < 0.7:
        return gzip.compress(mutate_bytes(gzip.decompress(content), rng), 1)
    for _ in range(rng.integers(1, 5)):
        begin, end = sorted(rng.integers(0, len(content) + 1, 2))
        end = min(end, begin + rng.integers(1, 40))
        piece = content[begin:end]
        piece = [
            b"",
            TOKENS[rng.integers(len(TOKENS))] + piece,
            piece + piece,
            rng.bytes(len(piece)),
            piece[::-1],
            bytes(byte ^ 1 << int(rng.integers(8)) for byte in piece),
        ][rng.integers(6)]
        content = content[:begin] + piece + content[end:]
    return content


def mutate_model(content: bytes, rng: np.random.Generator) -> bytes:
    """Change the parts of a model, so that its header and its checksums are sound; or its bytes."""
    if rng.random() < 0.2:
        return mutate_bytes(content, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m"
        path.write_bytes(content)
        try:
            arrays, metadata = model_file.load_model(path, mmap=False)
            for _ in range(rng.integers(1, 4)):
                if rng.random() < 0.4:
                    _mutate_leaf(metadata, rng)
                else:
                    _mutate_arrays(arrays, rng)
            model_file.save_model(path, arrays, metadata)
        except HashslideError:  # the seed is no model any more, or the change no file
            return mutate_bytes(content, rng)
        return path.read_bytes()


def _mutate_leaf(value, rng: np.random.Generator) -> None:
    """Change something anywhere inside a dict or a list."""
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = keys[rng.integers(len(keys))]
        if not isinstance(value[key], dict | list) or not value[key] or rng.random() < 0.1:
            if rng.random() < 0.1:
                del value[key]
            else:
                value[key] = copy.deepcopy(LEAVES[rng.integers(len(LEAVES))])
            return
        value = value[key]


def _mutate_arrays(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> None:
    names = sorted(arrays)
    name, other = (names[i] for i in rng.integers(0, len(names), 2))
    array = arrays[name]
    match rng.integers(0, 10):
        case 0:
            del arrays[name]
        case 1:
            arrays[name] = arrays[other]
        case 2:
            arrays[name] = array[: rng.integers(len(array) + 1)] if array.ndim else array
        case 3 if array.dtype != object:
            arrays[name] = array.astype(["f4", "f8", "i4", "i8", "u1"][rng.integers(5)])
        case 4:
            arrays[name] = rng.permutation(array)
        case _ if array.size:
            places = rng.integers(0, array.size, rng.integers(1, 4)) if rng.random() < 0.7 else slice(None)
            array.reshape(-1)[places] = _extreme(array.dtype, rng)


def _extreme(dtype: np.dtype, rng: np.random.Generator):
    if dtype.kind == "O":
        return ["", "x", "\n", "\0"][rng.integers(4)]
    if dtype.kind == "f":
        return [np.nan, np.inf, -np.inf, -1.0, 0.0, 3e38, -3e38, 1e-45][rng.integers(8)]
    limits = np.iinfo(dtype)
    return [limits.min, limits.max, limits.max // 2, 0, 1, 7, max(-1, limits.min)][rng.integers(7)]


class Target(NamedTuple):
    """Something that reads files."""

    seeds: Callable[[Path], None]
    read: Callable[[Path], None]
    mutate: Callable[[bytes, np.random.Generator], bytes] = mutate_bytes


TARGETS = {
    "model": Target(model_seeds, read_model, mutate_model),
    "text": Target(data_seeds("a.txt", "a.txt.gz", "a.svm", "a.svm.gz"), read_data),
    "npz": Target(data_seeds("a.npz"), read_data),
    "arrow": Target(data_seeds("a.parquet", "a.arrow"), read_data),
    "names": Target(name_seeds, read_names),
}


def outcome(target: Target, path: Path) -> str:
    """Read a file; whatever is neither a result nor an error of ours is raised."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends even what hears no signals
    signal.alarm(SECONDS_PER_FILE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(path)
        return "read"
    except HashslideError:
        return "refused"
    except MemoryError:
        return "out of memory"
    finally:
        signal.alarm(0)


def work(target: Target, seeds: list[Path], folder: Path, seed: int, end: float) -> None:
    """Read damaged files until the time is over or one fails; the last one stays in the folder."""
    if "san.so" not in os.environ.get("LD_PRELOAD", ""):  # sanitizers reserve much more than they use
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    while time.monotonic() < end:
        source = seeds[rng.integers(len(seeds))]
        path = folder / f"case{''.join(source.suffixes)}"
        path.write_bytes(target.mutate(source.read_bytes(), rng))
        counts[outcome(target, path)] += 1
        path.unlink()
    (folder / "counts").write_text(json.dumps(counts))


def fuzz(name: str, seconds: float, seed: int) -> tuple[Counter, list[str]]:
    """Return what became of the files of one target, and the failures, which are kept in the corpus."""
    target, counts, failures = TARGETS[name], Counter(), []
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as seed_folder:
        target.seeds(Path(seed_folder))
        kept = sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []
        seeds = sorted(Path(seed_folder).iterdir()) + kept
        while (now := time.monotonic()) < end:
            seed += 1
            with tempfile.TemporaryDirectory() as folder:
                stop = min(end, now + SECONDS_PER_PROCESS)
                status = _in_child(functools.partial(work, target, seeds, Path(folder), seed, stop))
                if status == 0:
                    counts.update(json.loads((Path(folder) / "counts").read_text()))
                    continue
                for case in Path(folder).glob("case*"):
                    failures.append(f"{_keep(name, case)} (exit status {status})")
    return counts, failures


def replay() -> list[str]:
    """Read every file of the corpus once; return those that fail."""
    failures = []
    for path in sorted(CORPUS.glob("*/*")):
        with tempfile.TemporaryDirectory() as folder:
            case = Path(shutil.copy(path, folder))
            status = _in_child(functools.partial(outcome, TARGETS[path.parent.name], case))
            if status != 0:
                failures.append(f"{path} (exit status {status})")
    return failures


def _in_child(act: Callable[[], None]) -> int:
    """Run something in a child; return its exit status, negative after a signal."""
    child = os.fork()
    if child == 0:
        code = FAILED
        with contextlib.suppress(BaseException):
            try:
                act()
                code = 0
            except BaseException:
                traceback.print_exc()
            sys.stderr.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _keep(name: str, case: Path) -> Path:
    content = case.read_bytes()
    kept = CORPUS / name / f"{hashlib.sha256(content).hexdigest()[:12]}{''.join(case.suffixes)}"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)
    return kept


def main() -> int:
    """Read the corpus, then fuzz every target for its share of the time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    parser.add_argument("--target", choices=TARGETS, action="append")
    arguments = parser.parse_args()
    targets, failures = arguments.target or list(TARGETS), replay()
    print(f"seed {arguments.seed}")
    for name in targets:
        counts, failed = fuzz(name, arguments.seconds / len(targets), arguments.seed)
        print(f"{name}: {sum(counts.values())} files, {dict(counts)}, {len(failed)} failures", flush=True)
        failures += failed
    print("\n".join(failures) or "no failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
