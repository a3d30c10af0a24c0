"""A beach with a parasol, and a sail on the sea."""

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from pictures.brushes import H, Point, W, clouds, glow, gradient, mix, noise, shade


def draw() -> Image.Image:
    chance = random.Random("beach")
    picture, horizon = sky(chance), round(H * 0.42)
    sea(picture, chance, horizon)
    boat(picture, (W * 0.7, horizon + 22))
    sand(picture, chance)
    parasol(picture, (W * 0.3, H * 0.47), 330)
    spot = (W * 0.56, H * 0.86)
    ball(picture, spot, 62)
    return glow(picture, (spot[0] - 22, spot[1] - 26), 60, (255, 255, 255), 0.9)


def sky(chance: random.Random) -> Image.Image:
    """A blue sky with clouds, and a sun at the upper left."""
    picture = gradient((W, H), [(0.0, (62, 148, 214)), (0.42, (196, 232, 246)), (1.0, (196, 232, 246))])
    puffs = clouds(chance, (W, H), (7, 9)).point(lambda value: max(0, min(235, (value - 132) * 5)))
    fade = gradient((W, H), [(0.0, (255, 255, 255)), (0.4, (120, 120, 120)), (1.0, (0, 0, 0))]).convert("L")
    picture.paste(Image.new("RGB", (W, H), (255, 255, 255)), (0, 0), ImageChops.multiply(puffs, fade))
    return glow(picture, (W * 0.16, H * 0.13), 700, (255, 246, 200), 1.0)


def sea(picture: Image.Image, chance: random.Random, horizon: int) -> None:
    """Draws the sea from the horizon down, with glints that grow as they come nearer."""
    water = gradient(
        (W, H),
        [
            (0.0, (18, 96, 160)),
            (0.42, (18, 96, 160)),
            (0.6, (40, 168, 190)),
            (0.75, (150, 226, 214)),
            (1.0, (150, 226, 214)),
        ],
    )
    picture.paste(water.crop((0, horizon, W, H)), (0, horizon))
    draw = ImageDraw.Draw(picture)
    for _ in range(900):
        depth = chance.random() ** 1.6
        x, y = chance.uniform(0, W), horizon + 6 + depth * H * 0.25
        draw.line(
            [(x, y), (x + 20 + 120 * depth, y)],
            fill=mix((40, 122, 178), (206, 244, 240), chance.random() * 0.7),
            width=2 + round(4 * depth),
        )


def boat(picture: Image.Image, middle: Point) -> None:
    """Draws a boat with two sails."""
    x, y = middle
    draw = ImageDraw.Draw(picture)
    draw.polygon(
        [
            (x - 70, y),
            (x + 80, y),
            (x + 50, y + 26),
            (x - 48, y + 26),
        ],
        fill=(150, 52, 44),
    )
    draw.polygon(
        [(x - 4, y - 8), (x - 4, y - 190), (x - 80, y - 8)],
        fill=(250, 250, 244),
    )
    draw.polygon(
        [(x + 6, y - 8), (x + 6, y - 210), (x + 96, y - 8)],
        fill=(255, 236, 206),
    )


def sand(picture: Image.Image, chance: random.Random) -> None:
    """Draws the beach, and the edges of the last waves on it."""
    grain = noise(chance, (W, H), (W // 3, H // 3))
    beach = Image.merge(
        "RGB", [grain.point([round(low + value * 0.09) for value in range(256)]) for low in (222, 192, 142)]
    )
    beach = Image.blend(
        beach,
        gradient(
            (W, H),
            [(0.0, (150, 112, 74)), (0.66, (176, 140, 98)), (0.78, (246, 222, 176)), (1.0, (236, 200, 146))],
        ),
        0.5,
    )
    for lift, color in ((52, (206, 240, 230)), (22, (255, 255, 252)), (0, None)):
        line: list[Point] = [(0, H)]
        for x in range(0, W + 8, 8):
            wave = math.sin(x / W * 9 + 0.6) * 26 + math.sin(x / W * 23) * 12 + math.sin(x / W * 61) * 5
            line.append((x, H * 0.68 + wave - lift + x * 0.03))
        shade(picture, [*line, (W, H)], Image.new("RGB", (W, H), color) if color else beach)


def ball(picture: Image.Image, middle: Point, size: float) -> None:
    """Draws a striped ball with its shadow."""
    x, y = middle
    draw = ImageDraw.Draw(picture)
    draw.ellipse([x - 30, y + 36, x + 150, y + 78], fill=(176, 136, 92))
    for slice_number in range(6):
        color = ((236, 72, 60), (255, 255, 250), (52, 128, 206))[slice_number % 3]
        draw.pieslice(
            [x - size, y - size, x + size, y + size],
            slice_number * 60 + 15,
            slice_number * 60 + 75,
            fill=color,
        )


def parasol(picture: Image.Image, top: Point, reach: float) -> None:
    """Draws a striped parasol with its shadow on the sand and a towel below."""
    x, y = top
    shadow = Image.new("L", picture.size)
    ImageDraw.Draw(shadow).ellipse([x - 120, y + 590, x + 620, y + 720], fill=120)
    picture.paste(
        Image.new("RGB", picture.size, (120, 84, 56)), (0, 0), shadow.filter(ImageFilter.GaussianBlur(18))
    )
    draw = ImageDraw.Draw(picture)
    draw.polygon(
        [(x + 90, y + 560), (x + 420, y + 560), (x + 520, y + 680), (x + 120, y + 680)], fill=(54, 140, 170)
    )
    for stripe in range(4):
        near, far = x + 150 + stripe * 100, x + 130 + stripe * 82
        draw.polygon(
            [(far, y + 560), (far + 30, y + 560), (near + 38, y + 680), (near, y + 680)], fill=(244, 246, 236)
        )
    draw.line([(x, y - 20), (x + 50, y + 640)], fill=(236, 226, 208), width=18)
    rim = [(x - reach + step * reach / 4, y + 190 + step * 7.5) for step in range(9)]
    for panel in range(8):
        color = (232, 70, 62) if panel % 2 == 0 else (255, 248, 236)
        left, right = rim[panel], rim[panel + 1]
        bow = [curve(left, top, (-0.34 + panel * 0.085) * reach, step / 12) for step in range(13)]
        back = [curve(right, top, (-0.34 + (panel + 1) * 0.085) * reach, step / 12) for step in range(13)]
        droop = [
            (
                left[0] + (right[0] - left[0]) * step / 8,
                left[1] + (right[1] - left[1]) * step / 8 + 24 * math.sin(step / 8 * math.pi),
            )
            for step in range(9)
        ]
        draw.polygon([*bow, *reversed(back), *reversed(droop)], fill=mix(color, (60, 20, 60), 0.03 * panel))
    draw.circle(top, 14, fill=(236, 226, 208))


def curve(start: Point, end: Point, bulge: float, at: float) -> Point:
    """A point between `start` and `end`, pushed sideways by up to `bulge` and up with it."""
    swell = math.sin(at * math.pi)
    return start[0] + (end[0] - start[0]) * at + bulge * 0.5 * swell, start[1] + (
        end[1] - start[1]
    ) * at - 46 * swell
