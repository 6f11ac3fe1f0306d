"""``hashslide train --plot``: the training as a picture or a page."""

import pytest
from commands import SMALL, run


@pytest.mark.parametrize("validation", [[], ["--validation-fraction", "0.2"]])
def test_a_page_holds_the_picture_and_the_epochs(folder, tmp_path, validation):
    page = tmp_path / "training.html"
    output = ["-o", tmp_path / "m.hashslide", "--plot", page]
    run("train", folder, *output, *SMALL, *validation)
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 1
    assert text.count("<tr><td>") == 3  # epochs
    assert ("val_P@1" in text) == bool(validation)


def test_a_picture(folder, tmp_path):
    picture = tmp_path / "training.png"
    run("train", folder, "-o", tmp_path / "m.hashslide", "--plot", picture, *SMALL, "--json")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_plot_that_cannot_be_written_is_refused_before_the_training(folder, tmp_path):
    result = run("train", folder, "-o", tmp_path / "m.hashslide", "--plot", tmp_path / "t.xls", code=1)
    assert "accepted are names in .png or .html" in result.output
    assert not (tmp_path / "m.hashslide").exists()
