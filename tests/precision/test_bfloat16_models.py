"""Models of bfloat16 weights: when they are made, how good they are, their files."""

import json
import struct

import numpy as np
import pytest
from estimator_helpers import fast
from numpy.testing import assert_array_equal

from hashslide import SlideClassifier, build_info, metrics
from hashslide.errors import InputError, ModelFileError
from hashslide.model_file import load_model, save_model
from hashslide.precision import BFLOAT16, is_bfloat16

HAS_UNIT = build_info()["bf16_unit"] is not None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "bfloat16" if HAS_UNIT else "float32"),
        ({"precision": "float32"}, "float32"),
        ({"precision": "bfloat16"}, "bfloat16"),
        ({"active": "per_example"}, "float32"),
    ],
)
def test_auto_is_what_the_cpu_multiplies_fastest(settings, expected):
    model = fast(**settings).fit(np.eye(9), range(9))
    assert model.network_.config.precision == model.settings_["precision"].value == expected
    assert is_bfloat16(model.network_.state()["output.weight"]) == (expected == "bfloat16")
    reason = model.settings_["precision"].reason
    given = "precision" in settings
    assert reason == "it was given" if given else "bfloat16" in reason or "products" in reason


@pytest.fixture(scope="module")
def models(pubmed):
    """One of each precision, trained on real data."""
    return {
        precision: SlideClassifier(64, precision=precision, epochs=3, random_state=0).fit(
            pubmed.X_train, pubmed.Y_train
        )
        for precision in ("float32", "bfloat16")
    }


def test_precision_at_1_is_that_of_float32(models, pubmed):
    """Within .01: two standard errors of the difference on these 3,500 test rows are half of that."""
    scores = {
        name: metrics.precision_at_k(pubmed.Y_test, model.predict_topk(pubmed.X_test, 1)[0], 1)
        for name, model in models.items()
    }
    assert scores["bfloat16"] > 0.8 and abs(scores["bfloat16"] - scores["float32"]) < 0.01


def test_files_hold_what_the_model_has(models, pubmed, tmp_path):
    sizes, x = {}, pubmed.X_test[:50]
    for name, model in models.items():
        path = tmp_path / name
        model.save(path, optimizer_state=True)
        header = path.read_bytes()
        tensors = json.loads(header[8 : 8 + struct.unpack("<Q", header[:8])[0]])
        weights = [key for key in tensors if key.endswith(("input.weight", "output.weight"))]
        assert len(weights) == 2
        assert {tensors[key]["dtype"] for key in weights} == {"F32" if name == "float32" else "BF16"}
        sizes[name] = sum(np.subtract(*tensors[key]["data_offsets"][::-1]) for key in weights)
        for mmap in (True, False):
            loaded = SlideClassifier.load(path, mmap=mmap, verify=True)
            assert_array_equal(loaded.decision_function(x), model.decision_function(x))
            loaded.partial_fit(pubmed.X_train[:100], pubmed.Y_train[:100])
            assert loaded.network_.config.precision == name
        resumed = SlideClassifier.load(path)
        other = SlideClassifier.load(path)
        for one in (resumed, other):
            one.partial_fit(pubmed.X_train[:300], pubmed.Y_train[:300])
        for key, array in resumed.network_.state().items():
            assert_array_equal(array, other.network_.state()[key], err_msg=key)
    assert sizes["bfloat16"] == sizes["float32"] / 2


def test_an_explanation_adds_up(models, pubmed):
    model = models["bfloat16"]
    x = pubmed.X_test[:3]
    scores = model.predict_topk(x, 2, approximate=False)[1]
    for row, found in enumerate(model.explain(x, k=2)):
        for rank, one in enumerate(found):
            assert one.score == pytest.approx(scores[row, rank], rel=1e-5)


def test_weights_of_infinity_are_refused(tmp_path):
    path = tmp_path / "model"
    fast(precision="bfloat16").fit(np.eye(3), ["a", "b", "c"]).save(path)
    arrays, metadata = load_model(path, mmap=False)
    for bits in (0x7F80, 0xFF80, 0x7FC0):
        arrays["network.output.weight"].view(np.uint16)[-1, -1] = bits
        save_model(path, arrays, metadata)
        with pytest.raises(ModelFileError, match=r"'network\.output\.weight' holds NaN or infinity"):
            SlideClassifier.load(path)
    assert arrays["network.output.weight"].dtype == BFLOAT16


def test_a_precision_that_does_not_exist_is_refused():
    with pytest.raises(
        InputError, match="precision is 'bf16'; accepted are \"auto\", 'float32' and 'bfloat16'"
    ):
        fast(precision="bf16").fit(np.eye(3), range(3))
