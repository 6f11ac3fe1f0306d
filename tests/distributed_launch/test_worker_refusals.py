"""What several workers cannot do is refused before any process is started."""

import os
import subprocess
import sys

import pytest
from commands import run
from launch_helpers import job_of

from hashslide import data
from hashslide.distributed import DistributedSlideClassifier
from hashslide.distributed.launching.engines import start
from hashslide.distributed.launching.torchrun import starter
from hashslide.errors import DataFileError, InputError, ModelFileError


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)


@pytest.mark.parametrize(
    ("workers", "changes", "message"),
    [
        (3, {}, "workers=3 and shards=8 do not go together.* 1, 2, 4, 8;"),
        (32, {}, "workers=32 and shards=8 do not go together"),
        (0, {}, "workers is 0"),
        (2, {"shards": 0}, "shards is 0"),
        (2, {"timeout": 0}, "timeout is 0"),
        (2, {"protocol": "rumours"}, "protocol is 'rumours'"),
        (2, {"protocol": "downpour"}, "protocol='downpour' needs engine='ray'"),
        (2, {"wire": "bytes"}, "wire is 'bytes'"),
        (2, {"n_push": 3}, "n_push=3 goes with the protocols rows and downpour"),
        (2, {"settings": {"hidden": (8, 8)}}, "2 hidden layers"),
        (2, {"settings": {"active": "per_example", "hash": "simhash"}}, "per_example"),
        (2, {"settings": {"hash": "simhash"}}, "sampler"),
        (2, {"settings": {"update": "hogwild"}}, "update='hogwild'"),
        (2, {"settings": {"both_ways": True}}, "both_ways"),
        (2, {"resume": True}, "resume needs the folder"),
    ],
    ids=str,
)
def test_settings(pack, tmp_path, workers, changes, message):
    with pytest.raises(InputError, match=message):
        start(job_of(pack, tmp_path / "m.hashslide", **changes), workers)


def test_files(pack, tmp_path, small_examples):
    X, Y = small_examples
    data.save(tmp_path / "train.npz", X, Y)
    with pytest.raises(InputError, match=r"train.npz is not a pack.*hashslide data pack"):
        start(job_of(tmp_path / "train.npz", tmp_path / "m.hashslide"), 2)
    damaged = tmp_path / "damaged.pack"
    content = bytearray(pack.read_bytes())
    content[-100] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(DataFileError, match="not a usable pack"):
        start(job_of(damaged, tmp_path / "m.hashslide"), 2)
    with pytest.raises(ModelFileError, match="it is a folder"):
        start(job_of(pack, tmp_path), 2)


def test_a_folder_of_another_training(pack, tmp_path):
    from hashslide.distributed.exchange import Alone
    from hashslide.distributed.launching.rank import run_rank

    job = job_of(pack, tmp_path / "m.hashslide", checkpoint=tmp_path / "states")
    run_rank(job, Alone(), n_threads=1)
    with pytest.raises(InputError, match=r"of another training\. To go on with it, give resume_from"):
        start(job, 2)
    other = job_of(pack, job.output, checkpoint=job.checkpoint, resume=True, settings={"learning_rate": 0.5})
    with pytest.raises(InputError, match=r"was made with learning_rate=0.1, but this training has 0.5"):
        start(other, 2)


def test_a_missing_package(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(starter, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'needs torch.*pip install "hashslide\[distributed\]"'):
        start(job_of(pack, tmp_path / "m.hashslide"), 2)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'pip install "hashslide\[ray\]"'):
        start(job_of(pack, tmp_path / "m.hashslide"), 2, "ray")
    with pytest.raises(InputError, match="engine is 'mpi'"):
        start(job_of(pack, tmp_path / "m.hashslide"), 2, "mpi")


def test_options_of_the_command(pack, tmp_path, folder_of_text):
    output = ["-o", tmp_path / "m.hashslide"]
    lost = run("train", pack, *output, "--workers", 3, code=1)
    assert "--workers 3 and --shards 8 do not go together" in " ".join(lost.output.split())
    lost = run("train", "pubmed-mesh", *output, "--workers", 2, code=1)
    assert "is not a pack" in lost.output and "hashslide data pack pubmed-mesh -o FILE.pack" in lost.output
    lost = run("train", pack, *output, "--protocol", "rows", code=2)
    assert "--protocol goes with --workers" in " ".join(lost.output.replace("│", " ").split())
    lost = run(
        "train", folder_of_text, *output, "--text", "title", "--labels", "tags", "--workers", 2, code=2
    )
    assert "several workers train on a pack" in " ".join(lost.output.replace("│", " ").split())
    assert os.listdir(tmp_path) == ["shop.csv"]


@pytest.fixture
def folder_of_text(tmp_path):
    path = tmp_path / "shop.csv"
    path.write_text("title,tags\nred shoes,shoes\nblue shoes,shoes\n")
    return path


def test_the_classifier(small_examples, tmp_path):
    X, Y = small_examples
    model = DistributedSlideClassifier(hidden=8)
    with pytest.raises(InputError, match="sample_weight is given"):
        model.fit(X, Y, sample_weight=[1.0] * X.shape[0])
    with pytest.raises(InputError, match="a search would start the workers for each trial"):
        model.tune(X, Y)
    with pytest.raises(InputError, match="resume_from is 'nowhere'"):
        model.fit(X, Y, resume_from="nowhere")
    with pytest.raises(InputError, match="cannot follow the workers"):
        model.set_params(callbacks=[data_callback()]).fit(X, Y)
    assert not hasattr(model, "network_")


def data_callback():
    from hashslide.callbacks import History

    return History()
