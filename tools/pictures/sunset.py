"""The sun going down behind hills."""

import math
import random
from collections.abc import Sequence

from PIL import Image, ImageDraw

from pictures.brushes import H, Point, W, clouds, glow, gradient, mix, shade


def ridge(chance: random.Random, base: float, swing: float, waves: Sequence[float]) -> list[Point]:
    """The outline of hills across the picture, closed along its bottom."""
    phases = [chance.uniform(0, math.tau) for _ in waves]
    line: list[Point] = [(0, H)]
    for x in range(0, W + 8, 8):
        lift = sum(
            math.sin(x / W * wave * math.tau + phase) / wave
            for wave, phase in zip(waves, phases, strict=True)
        )
        line.append((x, base - swing * lift))
    return [*line, (W, H)]


def draw() -> Image.Image:
    chance = random.Random("sunset")
    sky = [
        (0.0, (38, 30, 84)),
        (0.3, (124, 58, 118)),
        (0.5, (226, 96, 92)),
        (0.64, (252, 170, 92)),
        (1.0, (255, 226, 150)),
    ]
    picture = gradient((W, H), sky)
    sun = (W * 0.62, H * 0.56)
    bands = clouds(chance, (W, H), (5, 40)).point(lambda value: max(0, min(150, (value - 138) * 3)))
    picture.paste(Image.new("RGB", (W, H), (255, 156, 128)), (0, 0), bands)
    picture = glow(picture, sun, 1300, (255, 190, 110), 0.9)
    draw = ImageDraw.Draw(picture)
    draw.circle(sun, 120, fill=(255, 246, 214))
    picture = glow(picture, sun, 420, (255, 236, 190), 0.9)
    far, near = (226, 120, 104), (34, 18, 52)
    for step in range(6):
        share = step / 5
        outline = ridge(
            chance, H * (0.6 + 0.075 * step), 150 - 12 * step, (1.3 + step * 0.2, 3.1, 7.3 + step)
        )
        color = mix(far, near, share**0.8)
        fill = gradient(
            (W, H), [(0.0, color), (0.55, color), (1.0, mix(color, (255, 170, 120), 0.28 * (1 - share)))]
        )
        shade(picture, outline, fill)
    draw = ImageDraw.Draw(picture)
    for _ in range(9):
        x, y, span = (
            chance.uniform(W * 0.2, W * 0.5),
            chance.uniform(H * 0.2, H * 0.4),
            chance.uniform(18, 34),
        )
        for side in (-1, 1):
            wing = [(x, y), (x + side * span * 0.5, y - span * 0.45), (x + side * span, y - span * 0.1)]
            draw.line(wing, fill=(50, 26, 60), width=5, joint="curve")
    return picture
