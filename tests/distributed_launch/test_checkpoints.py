"""Checkpoints of several ranks, in one process: what is kept, what is skipped, what is refused."""

import json
import shutil

import pytest
from launch_helpers import MANIFEST, break_file, job_of

from hashslide import SlideClassifier
from hashslide.callbacks import Checkpoint, EarlyStopping
from hashslide.data import Pack
from hashslide.distributed.exchange import Alone
from hashslide.distributed.launching.checkpoints import Manifest, finished
from hashslide.distributed.launching.preparing import check_job
from hashslide.distributed.launching.rank import run_rank
from hashslide.errors import InputError


def run(pack, tmp_path, name="m", **options):
    path = tmp_path / f"{name}.hashslide"
    model = run_rank(
        job_of(pack, path, checkpoint=tmp_path / "states", checkpoint_every="150 examples", **options),
        Alone(),
        n_threads=1,
        verify=False,
    )
    return path.read_bytes(), model


@pytest.fixture
def trained(pack, tmp_path, undisturbed):
    """A folder of checkpoints."""
    assert run(pack, tmp_path)[0] == undisturbed.read_bytes()
    return tmp_path / "states"


def test_the_last_two_are_kept_with_a_file_for_each_shard(trained):
    last, before = finished(trained)
    assert sorted(trained.iterdir()) == [before, last]
    names = [f"shard-{shard:04d}.hashslide" for shard in range(8)]
    assert sorted(path.name for path in last.iterdir()) == [MANIFEST, *names]
    assert 0 < Manifest.read(before).position["batch"] < 7  # in the middle of an epoch
    assert json.dumps(Manifest.read(last).facts)


@pytest.mark.parametrize("damaged", ["shard-0003.hashslide", MANIFEST, "other shard", "missing shard"])
def test_a_broken_one_is_skipped_with_a_warning_and_removed(pack, trained, tmp_path, undisturbed, damaged):
    last, before = finished(trained)
    if damaged == "other shard":  # whole, but of another step
        shutil.copy(before / "shard-0005.hashslide", last)
    elif damaged == "missing shard":
        (last / "shard-0005.hashslide").unlink()
    else:
        break_file(last / damaged)
    with pytest.warns(UserWarning, match=f"A checkpoint is skipped: .*{last.name}"):
        found, model = run(pack, tmp_path, "again", resume=True)
    assert found == undisturbed.read_bytes()
    assert model.n_iter_ == 3


def test_without_any_that_can_be_read_nothing_is_trained_or_removed(pack, trained, tmp_path):
    steps = finished(trained)
    for step in steps:
        break_file(step / "shard-0000.hashslide")
    with (
        pytest.warns(UserWarning, match="skipped"),
        pytest.raises(InputError, match=r"no checkpoint in .* can be"),
    ):
        run(pack, tmp_path, "again", resume=True)
    assert finished(trained) == steps


def test_what_a_dead_training_left_unfinished_is_removed(pack, trained, tmp_path, undisturbed):
    (finished(trained)[0] / MANIFEST).unlink()
    stale = trained / "epoch-0099-batch-00000000"
    stale.mkdir()
    (stale / "shard-0000.hashslide").write_bytes(b"half")
    found, _ = run(pack, tmp_path, "again", resume=True)
    assert found == undisturbed.read_bytes()
    assert not stale.exists() and len(finished(trained)) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": {"epochs": 4}}, "was made with epochs=3"),
        ({"settings": {"hidden": 9}}, "was made with hidden="),
        ({"settings": {"random_state": 8}}, "was made with seed="),
        ({"settings": {"label_weight": "propensity"}}, "was made with label_weight=None"),
        ({"shards": 16}, "was made with shards=8"),
        ({"protocol": "rows"}, "was made with protocol='activations'"),
        ({"classes": "numbers"}, "the names of the labels differ"),
    ],
    ids=str,
)
def test_other_settings_are_refused(pack, trained, tmp_path, small_examples, changes, message):
    if "classes" in changes:
        changes = {"classes": [f"label {i}" for i in range(small_examples[1].shape[1])]}
    with pytest.raises(InputError, match=message):
        run(pack, tmp_path, "again", resume=True, **changes)
    assert not (tmp_path / "again.hashslide").exists() and len(finished(trained)) == 2


def test_other_data_are_refused(trained, tmp_path, small_examples):
    X, Y = small_examples
    other = Pack.build([(X * 2, Y)], tmp_path / "other.pack").path
    with pytest.raises(InputError, match="other data: it is not the same pack"):
        run(other, tmp_path, "again", resume=True)


def test_one_process_and_several_workers_do_not_mix_their_checkpoints(pack, trained, tmp_path):
    one = SlideClassifier(hidden=8, epochs=1, callbacks=[Checkpoint(trained)])
    with pytest.raises(InputError, match=r"of a training with several workers\. Go on with Distributed"):
        one.fit(Pack.open(pack), resume_from=trained)
    one.set_params(callbacks=[Checkpoint(tmp_path / "own")]).fit(Pack.open(pack))
    job = job_of(pack, tmp_path / "again", checkpoint=tmp_path / "own", resume=True)
    with pytest.raises(InputError, match="of a training in one process"):
        check_job(job)


def test_early_stopping_goes_on_with_its_best_epoch(pack, tmp_path):
    stopping = EarlyStopping(patience=2, min_delta=0.9)  # so the first epoch is the best
    settings = {"settings": {"early_stopping": stopping, "epochs": 6}}
    whole, model = run(pack, tmp_path, **settings)
    assert model.best_epoch_ < model.n_iter_
    shutil.rmtree(finished(tmp_path / "states")[0])
    again, resumed = run(pack, tmp_path, "again", resume=True, **settings)
    assert again == whole and resumed.best_epoch_ == model.best_epoch_
