"""What the pictures are painted with.

Shapes are drawn twice as large as they end up, which smooths their edges.
"""

import random
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw

Color = tuple[int, int, int]
Point = tuple[float, float]

WIDTH, HEIGHT = 1200, 800
SCALE = 2
W, H = WIDTH * SCALE, HEIGHT * SCALE


def gradient(size: tuple[int, int], stops: Sequence[tuple[float, Color]]) -> Image.Image:
    """A picture whose color runs from top to bottom through `stops`, each at a height from 0 to 1."""
    column = Image.new("RGB", (1, size[1]))
    for y in range(size[1]):
        at = y / (size[1] - 1)
        low = max((stop for stop in stops if stop[0] <= at), key=lambda stop: stop[0])
        high = min((stop for stop in stops if stop[0] >= at), key=lambda stop: stop[0])
        column.putpixel((0, y), mix(low[1], high[1], (at - low[0]) / ((high[0] - low[0]) or 1)))
    return column.resize(size)


def mix(first: Color, second: Color, share: float) -> Color:
    """`first` where share is 0, `second` where it is 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def noise(chance: random.Random, size: tuple[int, int], cells: tuple[int, int]) -> Image.Image:
    """Soft grey clouds: `cells` random values across and down, blown up to `size`."""
    small = Image.frombytes("L", cells, chance.randbytes(cells[0] * cells[1]))
    return small.resize(size, Image.Resampling.BICUBIC)


def clouds(chance: random.Random, size: tuple[int, int], cells: tuple[int, int]) -> Image.Image:
    """Noise of four sizes laid over each other."""
    sheet = noise(chance, size, cells)
    for octave in range(1, 4):
        finer = noise(chance, size, (cells[0] << octave, cells[1] << octave))
        sheet = Image.blend(sheet, finer, 0.5 / (1 << (octave - 1)) if octave < 3 else 0.15)
    return sheet


def glow(picture: Image.Image, center: Point, radius: float, color: Color, strength: float) -> Image.Image:
    """`picture` with light around `center` that fades to nothing at `radius`."""
    disc = Image.radial_gradient("L").point(
        lambda value: round(255 * strength * max(0.0, 1 - value / 181) ** 2)
    )
    side = round(radius * 2)
    mask = Image.new("L", picture.size)
    mask.paste(disc.resize((side, side)), (round(center[0] - radius), round(center[1] - radius)))
    light = ImageChops.screen(picture, Image.new("RGB", picture.size, color))
    return Image.composite(light, picture, mask)


def shade(picture: Image.Image, outline: Sequence[Point], fill: Image.Image) -> None:
    """Lays `fill` into `outline`."""
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).polygon(list(outline), fill=255)
    picture.paste(fill, (0, 0), mask)
