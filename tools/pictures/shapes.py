"""Overlapping circles, arcs and triangles: a picture of nothing."""

import math

from PIL import Image, ImageDraw

from pictures.brushes import SCALE, Color

SIDE = 1000 * SCALE
CELL = SIDE // 5
PAPER: Color = (244, 236, 220)
INKS: tuple[Color, ...] = ((230, 84, 62), (28, 64, 98), (246, 178, 66), (58, 142, 132), (134, 66, 96))


def draw() -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE), PAPER)
    brush = ImageDraw.Draw(picture)
    for row in range(5):
        for column in range(5):
            number = row * 7 + column * 3
            ink, other = INKS[number % 5], INKS[(number + 1 + column % 3) % 5]
            box = (column * CELL, row * CELL, (column + 1) * CELL, (row + 1) * CELL)
            brush.rectangle(box, fill=ink if (row + column) % 2 else PAPER)
            tile(brush, box, (row * 2 + column * 5) % 6, other if row % 2 else INKS[(number + 2) % 5])
    return picture


def tile(brush: ImageDraw.ImageDraw, box: tuple[int, int, int, int], kind: int, ink: Color) -> None:
    """Fills one square with one of six figures."""
    left, top, right, bottom = box
    middle = ((left + right) / 2, (top + bottom) / 2)
    if kind == 0:
        brush.pieslice([left, top, right + CELL, bottom + CELL], 180, 270, fill=ink)
    elif kind == 1:
        for ring in range(4):
            brush.circle(middle, CELL * (0.46 - 0.115 * ring), fill=ink if ring % 2 == 0 else PAPER)
    elif kind == 2:
        brush.polygon([(left, bottom), (right, bottom), (right, top)], fill=ink)
    elif kind == 3:
        brush.pieslice([left, top - CELL / 2, right, top + CELL / 2], 0, 180, fill=ink)
        brush.pieslice([left, top, right, bottom], 0, 180, fill=ink)
    elif kind == 4:
        for bar in range(4):
            x = left + bar * CELL / 4
            brush.rectangle([x, top, x + CELL / 8, bottom], fill=ink)
    else:
        star = [
            (
                middle[0] + math.cos(turn * math.pi / 8) * reach,
                middle[1] + math.sin(turn * math.pi / 8) * reach,
            )
            for turn in range(16)
            for reach in [CELL * (0.46 if turn % 2 == 0 else 0.2)]
        ]
        brush.polygon(star, fill=ink)
