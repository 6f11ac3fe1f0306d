"""Chinese characters as Debian's fonts draw them: images of 20,902 classes, some fonts held out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import packages

FIRST, N_CLASSES = 0x4E00, 20_902  # the CJK unified ideographs of Unicode 1.1
SIDE, SIZE = 32, 28  # pixels of an image and of the font in it
FONTS = "usr/share/fonts"


class Face(NamedTuple):
    """A face of a font file of a Debian package."""

    package: str
    file: str
    index: int = 0
    held_out: bool = False


NOTO, NOTO_EXTRA = "fonts-noto-cjk", "fonts-noto-cjk-extra"
JAPANESE, CHINESE, TAIWAN = 0, 2, 3  # faces of Noto's files: each region writes some characters differently
FACES = (
    Face(NOTO, "opentype/noto/NotoSansCJK-Regular.ttc", CHINESE),
    Face(NOTO, "opentype/noto/NotoSansCJK-Regular.ttc", JAPANESE),
    Face(NOTO, "opentype/noto/NotoSansCJK-Bold.ttc", TAIWAN),
    Face(NOTO, "opentype/noto/NotoSerifCJK-Regular.ttc", CHINESE),
    Face(NOTO, "opentype/noto/NotoSerifCJK-Bold.ttc", JAPANESE),
    Face(NOTO_EXTRA, "opentype/noto/NotoSansCJK-Light.ttc", CHINESE),
    Face(NOTO_EXTRA, "opentype/noto/NotoSansCJK-Black.ttc", CHINESE),
    Face(NOTO_EXTRA, "opentype/noto/NotoSerifCJK-ExtraLight.ttc", TAIWAN),
    Face(NOTO_EXTRA, "opentype/noto/NotoSerifCJK-SemiBold.ttc", CHINESE),
    Face("fonts-arphic-ukai", "truetype/arphic/ukai.ttc"),
    Face("fonts-arphic-uming", "truetype/arphic/uming.ttc"),
    Face("fonts-cns11643-kai", "truetype/cns11643/TW-Kai-98_1.ttf"),
    Face("fonts-cns11643-sung", "truetype/cns11643/TW-Sung-98_1.ttf"),
    Face("fonts-hanazono", "truetype/hanazono/HanaMinA.ttf"),
    Face("fonts-wqy-zenhei", "truetype/wqy/wqy-zenhei.ttc"),
    Face("fonts-wqy-microhei", "truetype/wqy/wqy-microhei.ttc", held_out=True),
    Face("fonts-babelstone-han", "truetype/babelstone/BabelStoneHan.ttf", held_out=True),
    Face("fonts-lxgw-wenkai", "truetype/lxgw-wenkai/LXGWWenKai-Regular.ttf", held_out=True),
)


class Glyphs(NamedTuple):
    """Grey images, shape (n, SIDE, SIDE), mapped from files, and the ids of the characters."""

    train: NDArray[np.uint8]
    y_train: NDArray[np.int32]
    test: NDArray[np.uint8]
    y_test: NDArray[np.int32]


def load(folder: Path) -> Glyphs:
    """Return the images of the training fonts and of the fonts that are held out."""
    target = folder / "glyphs"
    files = ("train.npy", "y_train.npy", "test.npy", "y_test.npy")
    packages.built(target, files, lambda: _build(folder, target))
    return Glyphs(*(np.load(target / name, mmap_mode="r") for name in files))


def draw(
    font: Path, index: int, characters: NDArray[np.int32]
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Draw those of the characters that the font has, each in the middle of its image.

    Returns
    -------
    images : uint8, shape (n, SIDE, SIDE)
    drawn : int32, shape (n,)
        Their code points.
    """
    from fontTools.ttLib import TTFont
    from PIL import Image, ImageDraw, ImageFont

    with TTFont(font, fontNumber=index, lazy=True) as table:
        known = set(table.getBestCmap())
    drawn = np.array([c for c in characters.tolist() if c in known], np.int32)
    face = ImageFont.truetype(str(font), SIZE, index=index)
    images = np.empty((len(drawn), SIDE, SIDE), np.uint8)
    for image, character in zip(images, drawn.tolist(), strict=True):
        paper = Image.new("L", (SIDE, SIDE))
        left, top, right, bottom = face.getbbox(chr(character))
        place = ((SIDE - left - right) / 2, (SIDE - top - bottom) / 2)
        ImageDraw.Draw(paper).text(place, chr(character), fill=255, font=face)
        image[:] = np.asarray(paper)
    return images, drawn


def _build(folder: Path, target: Path) -> None:
    characters = np.arange(FIRST, FIRST + N_CLASSES, dtype=np.int32)
    parts: dict[str, list] = {"train": [], "test": []}
    for face in FACES:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            package = packages.debian(face.package, folder / "packages")
            path = packages.unpacked(package, Path(scratch)) / FONTS / face.file
            images, drawn = draw(path, face.index, characters)
        is_blank = ~images.any(axis=(1, 2))
        print(f"{path.name} {face.index}: {len(drawn):,} characters, {is_blank.sum():,} of them blank")
        parts["test" if face.held_out else "train"].append((images[~is_blank], drawn[~is_blank] - FIRST))
    for part, drawings in parts.items():
        np.save(target / f"{part}.npy", np.concatenate([images for images, _ in drawings]))
        np.save(target / f"y_{part}.npy", np.concatenate([classes for _, classes in drawings]))
