"""``engine="ray"``: the synchronous protocols as with torchrun, and Downpour."""

import pytest
from launch_helpers import job_of

from hashslide import SlideClassifier
from hashslide.distributed.launching.engines import start
from hashslide.errors import InputError

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster():
    """Ray on this machine, for all tests here: it starts slowly."""
    import ray

    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_both_kinds_of_training(cluster, pack, tmp_path, undisturbed, small_examples):
    """Ranks of Ray write what those of torchrun write; Downpour learns without waiting."""
    job = job_of(pack, tmp_path / "m.hashslide")
    assert [record["epoch"] for record in start(job, 2, "ray", n_jobs=1)] == [1, 2, 3]
    assert job.output.read_bytes() == undisturbed.read_bytes()
    X, Y = small_examples
    job = job_of(
        pack,
        tmp_path / "d.hashslide",
        protocol="downpour",
        eval_set=(X, Y),
        settings={"epochs": 8, "ranker": False},
    )
    history = start(job, 2, "ray", n_jobs=1)
    assert len(history) == 8 and history[-1]["loss"] < 0.9 * history[0]["loss"]
    model = SlideClassifier.load(job.output)
    assert model.score(X, Y) == pytest.approx(history[-1]["val_P@1"], abs=0.05)
    assert model.score(X, Y) > 0.2


@pytest.mark.parametrize(
    "changes", [{"checkpoint": "states"}, {"settings": {"early_stopping": True}}], ids=str
)
def test_what_downpour_cannot_do(pack, tmp_path, changes):
    if "checkpoint" in changes:
        changes = {"checkpoint": tmp_path / "states"}
    with pytest.raises(InputError, match="the protocol downpour"):
        start(job_of(pack, tmp_path / "m.hashslide", protocol="downpour", **changes), 2, "ray")
