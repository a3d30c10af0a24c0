"""A tree in a meadow of flowers."""

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from pictures.brushes import H, Point, W, clouds, glow, gradient, mix, shade

FLOWERS = ((250, 250, 246), (250, 210, 60), (226, 60, 70), (150, 96, 206))


def draw() -> Image.Image:
    chance = random.Random("meadow")
    picture = gradient((W, H), [(0.0, (70, 146, 222)), (0.6, (206, 234, 248)), (1.0, (206, 234, 248))])
    puffs = clouds(chance, (W, H), (6, 7)).point(lambda value: max(0, min(240, (value - 128) * 5)))
    fade = gradient((W, H), [(0.0, (230, 230, 230)), (0.55, (60, 60, 60)), (1.0, (0, 0, 0))]).convert("L")
    picture.paste(Image.new("RGB", (W, H), (255, 255, 255)), (0, 0), ImageChops.multiply(puffs, fade))
    for step, color in enumerate(((122, 168, 172), (104, 164, 118), (92, 168, 74))):
        line: list[Point] = [(0, H)]
        for x in range(0, W + 8, 8):
            swell = (
                math.sin(x / W * (4 + step) + step * 2.3) * (70 - 18 * step)
                + math.sin(x / W * 13 + step) * 14
            )
            line.append((x, H * (0.56 + 0.05 * step) - swell))
        bottom = mix(color, (70, 130, 40), 0.5)
        shade(picture, [*line, (W, H)], gradient((W, H), [(0.0, color), (0.55, color), (1.0, bottom)]))
    ground = Image.new("L", (W, H))
    ImageDraw.Draw(ground).ellipse([W * 0.36, H * 0.775, W * 0.8, H * 0.855], fill=150)
    picture.paste(Image.new("RGB", (W, H), (34, 74, 26)), (0, 0), ground.filter(ImageFilter.GaussianBlur(16)))
    tree(picture, chance)
    grass(picture, chance)
    return glow(picture, (W * 0.06, H * 0.02), 1500, (255, 250, 210), 0.7)


def tree(picture: Image.Image, chance: random.Random) -> None:
    """Draws a trunk that forks, and a crown from dark leaves below to bright ones above."""
    brush = ImageDraw.Draw(picture)
    root = (W * 0.56, H * 0.82)
    trunk = [(-74, 0), (-36, -110), (-32, -420), (34, -420), (40, -110), (82, 0), (20, -16), (-20, -16)]
    brush.polygon([(root[0] + x, root[1] + y) for x, y in trunk], fill=(92, 62, 40))
    brush.polygon(
        [(root[0] + x, root[1] + y) for x, y in ((-66, 0), (-32, -110), (-28, -420), (-8, -420), (-12, -90))],
        fill=(126, 90, 58),
    )
    for reach, lift in ((-330, -640), (-150, -720), (170, -730), (340, -610)):
        branch = [
            (root[0] + reach * (step / 8) ** 1.4, root[1] - 360 + (lift + 360) * step / 8)
            for step in range(9)
        ]
        brush.line(branch, fill=(98, 68, 44), width=30, joint="curve")
    crown = (root[0], root[1] - 700)
    for layer in range(7):
        share = layer / 6
        for _ in range(520):
            turn, reach = chance.uniform(0, math.tau), chance.random() ** 0.5
            lumps = 1 + 0.13 * math.sin(turn * 5 + 1) + 0.07 * math.sin(turn * 9)
            x = crown[0] - 70 * share + math.cos(turn) * reach * lumps * 520 * (1 - 0.34 * share)
            y = crown[1] - 90 * share + math.sin(turn) * reach * lumps * 400 * (1 - 0.38 * share)
            color = mix((30, 84, 34), (150, 204, 72), share * 0.85 + chance.uniform(-0.08, 0.15))
            size = chance.uniform(12, 30)
            brush.ellipse([x - size, y - size * 0.7, x + size, y + size * 0.7], fill=color)


def grass(picture: Image.Image, chance: random.Random) -> None:
    """Draws blades and flowers, larger towards the front."""
    brush = ImageDraw.Draw(picture)
    for y in sorted(H * (0.72 + 0.3 * chance.random() ** 0.9) for _ in range(5200)):
        near = (y / H - 0.72) / 0.3
        x, tall = chance.uniform(0, W), 14 + 70 * near
        lean = chance.uniform(-0.5, 0.5) * tall
        color = mix((78, 146, 50), (150, 196, 66), chance.random())
        color = mix(color, (30, 84, 30), 0.45 * chance.random())
        brush.line(
            [(x, y), (x + lean * 0.4, y - tall * 0.6), (x + lean, y - tall)],
            fill=color,
            width=2 + round(5 * near),
        )
        if chance.random() < 0.075:
            size = 5 + 17 * near
            petal = chance.choice(FLOWERS)
            for turn in range(5):
                angle = turn * math.tau / 5
                at = (x + lean + math.cos(angle) * size * 0.8, y - tall + math.sin(angle) * size * 0.7)
                brush.circle(at, size * 0.6, fill=petal)
            brush.circle((x + lean, y - tall), size * 0.45, fill=(240, 160, 40))
