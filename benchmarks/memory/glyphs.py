"""Pictures of Chinese characters, rendered from fonts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

SIDE = 32  # pixels of a picture
DRAWN = 48  # pixels of the drawing that it is taken from
POINTS = 36  # size of a character in the drawing

# The unseen fonts have other designs than all others, not only other weights: a brush, a Mincho, a Gothic.
TRAINING = (
    ("NotoSansCJK-Regular.ttc", 2),
    ("NotoSansCJK-Bold.ttc", 2),
    ("NotoSerifCJK-Regular.ttc", 2),
    ("NotoSerifCJK-Bold.ttc", 2),
    ("uming.ttc", 0),
    ("wqy-zenhei.ttc", 0),
    ("ipag.ttf", 0),
)
UNSEEN = (("ukai.ttc", 0), ("ipam.ttf", 0), ("wqy-microhei.ttc", 0))


def characters_of_all(folder: Path) -> list[str]:
    """Return the characters of the block of unified ideographs that every font has."""
    common = set(range(0x4E00, 0x9FA6))
    for name, number in (*TRAINING, *UNSEEN):
        with TTFont(found(folder, name), fontNumber=number, lazy=True) as font:
            common &= set(font.getBestCmap())
    return [chr(code) for code in sorted(common)]


def found(folder: Path, name: str) -> Path:
    """Return the file of this name below a folder."""
    path = next(folder.rglob(name), None)
    if path is None:
        raise SystemExit(
            f"{folder} has no {name}; benchmarks/README.md names the packages that hold the fonts."
        )
    return path


def render(folder: Path, fonts: tuple[tuple[str, int], ...], characters: list[str]) -> np.ndarray:
    """Return pictures (fonts, characters, DRAWN, DRAWN) of uint8, 255 where ink is."""
    pictures = np.zeros((len(fonts), len(characters), DRAWN, DRAWN), np.uint8)
    for of_font, (name, number) in zip(pictures, fonts, strict=True):
        font = ImageFont.truetype(str(found(folder, name)), POINTS, index=number)
        for picture, character in zip(of_font, characters, strict=True):
            image = Image.new("L", (DRAWN, DRAWN))
            ImageDraw.Draw(image).text((DRAWN / 2, DRAWN / 2), character, fill=255, font=font, anchor="mm")
            picture[:] = np.asarray(image)
    return pictures


def varied(pictures: np.ndarray, generator: torch.Generator) -> torch.Tensor:
    """Return float pictures (n, 1, SIDE, SIDE), each a little turned, shifted and scaled at random."""
    x = torch.from_numpy(pictures)[:, None].float() / 255
    n = len(x)
    angle, size, right, down = (torch.rand(4, n, generator=generator) * 2 - 1) * torch.tensor(
        [[0.15], [0.1], [0.08], [0.08]]
    )
    size = 1 / (1 + size)
    turn = torch.stack(
        [
            torch.stack([angle.cos() * size, -angle.sin() * size, right], dim=1),
            torch.stack([angle.sin() * size, angle.cos() * size, down], dim=1),
        ],
        dim=1,
    )
    grid = torch.nn.functional.affine_grid(turn, [n, 1, SIDE, SIDE], align_corners=False)
    return torch.nn.functional.grid_sample(x, grid, align_corners=False)
