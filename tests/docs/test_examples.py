"""Every program in examples/ runs, on small data, and prints what it is there to show."""

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
SHOWN = {
    "advice": "P@1 with the settings advised: 0",
    "demo": "the same predictions? True",
    "fast_prediction": "approximate  P@1 0",
    "hashed_layers": "SLIDE  ",
    "living_models": "labels forgotten: 5",
    "memory": "examples of each new digit: 5   right answers: 0",
    "one_label_of_many": "always the most common class",
    "own_data": "rows held out: 0",
    "pipelines": "P@5 in three parts",
    "product_search": "convert video files: 0",
    "rare_labels": "propensity ",
    "recommendation": "the most popular items 0",
    "serving": "the same answers as predict_topk? True",
    "training_on": "the same scores as without interruption? True",
    "tuning": "tuned     nDCG@5 on the test part 0",
}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_example_runs(path, reader, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    monkeypatch.setattr(example, "SECONDS", 1, raising=False)
    monkeypatch.setattr(example, "PACKAGES", 500, raising=False)
    example.main()
    assert SHOWN[path.stem] in capsys.readouterr().out


def test_every_guide_has_an_example():
    guides = {path.stem for path in (FOLDER.parent / "docs" / "guides").glob("*.md")}
    named = {"does_hashing_pay": "advice", "larger_than_memory": "training_on", "text": "product_search"}
    named |= {"index": None}
    wanted = {named.get(guide, guide) for guide in guides} - {None}
    assert wanted <= {path.stem for path in FOLDER.glob("*.py")}
