"""A red apple on a wooden table."""

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from pictures.brushes import H, Point, W, clouds, glow, gradient, mix


def draw() -> Image.Image:
    chance = random.Random("apple")
    picture = gradient((W, H), [(0.0, (92, 120, 124)), (0.62, (176, 190, 178)), (1.0, (176, 190, 178))])
    picture = glow(picture, (W * 0.25, H * 0.2), 1500, (255, 244, 214), 0.8)
    picture = picture.filter(ImageFilter.GaussianBlur(8))
    table(picture, chance, round(H * 0.62))
    center, radius = (W * 0.5, H * 0.52), H * 0.29
    shadow(picture, center, radius)
    apple(picture, chance, center, radius)
    stem(picture, (center[0], center[1] - radius * 0.74))
    return picture


def table(picture: Image.Image, chance: random.Random, edge: int) -> None:
    """Draws a table of wooden boards from its edge down."""
    grain = clouds(chance, (W, H - edge), (3, 70))
    wood = Image.merge(
        "RGB", [grain.point([round(low + value * 0.26) for value in range(256)]) for low in (142, 92, 54)]
    )
    boards = ImageDraw.Draw(wood)
    for board in range(1, 4):
        y = round((H - edge) * (board / 4) ** 1.3)
        boards.line([(0, y), (W, y)], fill=(88, 54, 30), width=3 + board * 2)
    wood = Image.blend(wood, gradient(wood.size, [(0.0, (210, 168, 120)), (1.0, (74, 42, 22))]), 0.32)
    picture.paste(wood, (0, edge))


def shadow(picture: Image.Image, center: Point, radius: float) -> None:
    """Draws the shadow that an apple throws on the table."""
    ground = Image.new("L", (W, H))
    dark = [center[0] - radius * 0.72, H * 0.71, center[0] + radius * 1.55, H * 0.835]
    ImageDraw.Draw(ground).ellipse(dark, fill=190)
    picture.paste(Image.new("RGB", (W, H), (34, 18, 10)), (0, 0), ground.filter(ImageFilter.GaussianBlur(34)))


def apple(picture: Image.Image, chance: random.Random, center: Point, radius: float) -> None:
    """Draws a red apple with streaks, a dark rim and a light spot."""
    outline = [apple_edge(center, radius, math.tau * turn / 720) for turn in range(720)]
    skin = Image.new("RGB", (W, H), (178, 24, 34))
    skin = glow(
        skin, (center[0] - radius * 0.35, center[1] - radius * 0.3), radius * 1.5, (255, 120, 70), 0.9
    )
    streaks = ImageDraw.Draw(skin)
    for _ in range(420):
        turn, reach = chance.uniform(0, math.tau), chance.uniform(0.3, 0.98)
        tip = apple_edge(center, radius * reach, turn)
        root = apple_edge(center, radius * reach * 0.8, turn)
        streaks.line([root, tip], fill=mix((190, 30, 36), (236, 120, 60), chance.random() * 0.7), width=3)
    skin = skin.filter(ImageFilter.GaussianBlur(5))
    dark = Image.new("L", (W, H))
    ImageDraw.Draw(dark).polygon(outline, fill=255)
    inner = ImageChops.offset(dark, -150, -120).filter(ImageFilter.GaussianBlur(120))
    rim = ImageChops.multiply(ImageChops.invert(inner), dark).point(lambda value: round(value * 0.85))
    skin.paste(Image.new("RGB", (W, H), (58, 4, 20)), (0, 0), rim)
    skin = glow(
        skin, (center[0] - radius * 0.42, center[1] - radius * 0.42), radius * 0.42, (255, 255, 250), 1.0
    )
    picture.paste(skin, (0, 0), dark.filter(ImageFilter.GaussianBlur(2)))


def stem(picture: Image.Image, dip: Point) -> None:
    """Draws the hollow of an apple, its stem and a leaf."""
    hollow = Image.new("L", (W, H))
    ImageDraw.Draw(hollow).ellipse([dip[0] - 120, dip[1] - 36, dip[0] + 120, dip[1] + 30], fill=170)
    picture.paste(Image.new("RGB", (W, H), (66, 20, 14)), (0, 0), hollow.filter(ImageFilter.GaussianBlur(22)))
    draw = ImageDraw.Draw(picture)
    bow = [(dip[0] + 34 * (step / 12) ** 2, dip[1] - 15 * step) for step in range(13)]
    draw.line(bow, fill=(74, 46, 24), width=24, joint="curve")
    draw.line([(x - 5, y) for x, y in bow], fill=(132, 92, 52), width=8, joint="curve")
    leaf = [leaf_edge((dip[0] + 20, dip[1] - 90), 300, step / 60) for step in range(121)]
    draw.polygon(leaf, fill=(70, 132, 48))
    draw.polygon(leaf[:61], fill=(104, 168, 62))


def apple_edge(center: Point, radius: float, turn: float) -> Point:
    """A point on the outline of an apple, `turn` in radians from the right."""
    dent = (
        1
        - 0.26 * math.exp(-(((turn - 1.5 * math.pi) / 0.34) ** 2))
        - 0.06 * math.exp(-(((turn - math.pi / 2) / 0.3) ** 2))
    )
    belly = 1 + 0.06 * math.cos(2 * turn) - 0.05 * math.sin(turn)
    return center[0] + radius * dent * belly * math.cos(turn), center[
        1
    ] + radius * 0.96 * dent * belly * math.sin(turn)


def leaf_edge(root: Point, length: float, at: float) -> Point:
    """A point on the outline of a leaf: out from 0 to 1, back from 1 to 2."""
    along = at if at <= 1 else 2 - at
    across = math.sin(along * math.pi) ** 0.8 * length * 0.2 * (1 if at <= 1 else -1)
    lean = -0.5
    x, y = along * length, -across
    return root[0] + x * math.cos(lean) - y * math.sin(lean), root[1] + x * math.sin(lean) + y * math.cos(
        lean
    )
