"""A city beside a river at night."""

import random

from PIL import Image, ImageDraw, ImageFilter

from pictures.brushes import Color, H, W, glow, gradient, mix

SHORE = round(H * 0.72)


def draw() -> Image.Image:
    chance = random.Random("city")
    sky = [(0.0, (10, 14, 40)), (0.45, (34, 36, 86)), (0.72, (122, 74, 116)), (1.0, (122, 74, 116))]
    picture = gradient((W, H), sky)
    brush = ImageDraw.Draw(picture)
    for _ in range(260):
        x, y = chance.uniform(0, W), H * 0.55 * chance.random() ** 1.4
        brush.circle(
            (x, y), chance.choice((1.5, 2, 2, 3)), fill=mix((120, 124, 170), (255, 250, 230), chance.random())
        )
    moon = (W * 0.8, H * 0.17)
    picture = glow(picture, moon, 520, (150, 160, 220), 0.7)
    brush = ImageDraw.Draw(picture)
    brush.circle(moon, 84, fill=(246, 240, 218))
    for dx, dy, size in ((-26, -18, 20), (22, 24, 26), (30, -34, 12), (-34, 34, 11)):
        brush.circle((moon[0] + dx, moon[1] + dy), size, fill=(228, 218, 194))
    towers(brush, chance, (0.16, 0.36), (90, 200), (64, 52, 100), 0.0)
    towers(brush, chance, (0.18, 0.5), (110, 240), (34, 32, 70), 0.35)
    towers(brush, chance, (0.06, 0.34), (140, 260), (16, 16, 38), 0.5)
    water(picture, chance)
    return picture


def towers(
    brush: ImageDraw.ImageDraw,
    chance: random.Random,
    heights: tuple[float, float],
    widths: tuple[float, float],
    color: Color,
    lit: float,
) -> None:
    """Draws one row of buildings along the shore; `lit` is the share of windows with a light."""
    x = -40.0
    while x < W:
        width, height = chance.uniform(*widths), H * chance.uniform(*heights)
        top = SHORE - height
        brush.rectangle([x, top, x + width, SHORE], fill=color)
        if chance.random() < 0.3:
            brush.rectangle([x + width * 0.25, top - 36, x + width * 0.75, top], fill=color)
            brush.line([(x + width / 2, top - 36), (x + width / 2, top - 130)], fill=color, width=6)
            brush.circle((x + width / 2, top - 130), 6, fill=(255, 84, 72))
        if lit:
            windows(brush, chance, (x, top, width), lit)
        x += width + chance.choice((0, 0, 12, 30))


def windows(
    brush: ImageDraw.ImageDraw, chance: random.Random, front: tuple[float, float, float], lit: float
) -> None:
    """Draws the lit windows of one building, whose left, top and width are `front`."""
    left, top, width = front
    columns = max(2, int(width // 34))
    step = width / columns
    share = lit * chance.uniform(0.5, 1.3)
    for row in range(int((SHORE - top - 30) // 40)):
        for column in range(columns):
            if chance.random() < share:
                x, y = left + step * (column + 0.26), top + 22 + row * 40
                color = chance.choice(((255, 214, 130), (255, 190, 96), (255, 236, 190), (176, 206, 255)))
                brush.rectangle([x, y, x + step * 0.48, y + 22], fill=color)


def water(picture: Image.Image, chance: random.Random) -> None:
    """Mirrors what stands on the shore in the river below it."""
    depth = H - SHORE
    mirrored = picture.crop((0, SHORE - depth, W, SHORE)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirrored = mirrored.resize((W // 10, depth)).resize((W, depth)).filter(ImageFilter.BoxBlur(5))
    river = Image.blend(mirrored, Image.new("RGB", mirrored.size, (14, 18, 50)), 0.42)
    for y in range(0, depth, 6):
        strip = river.crop((0, y, W, y + 6))
        river.paste(strip, (round(chance.uniform(-1, 1) * (6 + y * 0.05)), y))
    picture.paste(river, (0, SHORE))
    brush = ImageDraw.Draw(picture)
    brush.rectangle([0, SHORE - 4, W, SHORE + 6], fill=(8, 8, 22))
    for x in range(60, W, 150):
        brush.circle((x, SHORE - 14), 7, fill=(255, 226, 160))
        brush.line([(x, SHORE + 20), (x, SHORE + 90)], fill=(168, 136, 110), width=5)
