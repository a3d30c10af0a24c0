"""Draws the pictures in examples/pictures: `.venv/bin/python tools/draw_pictures.py [NAME...]`.

The same picture comes out each time: what looks like chance is seeded.
"""

import sys
from pathlib import Path

from pictures import apple, beach, brushes, city, meadow, shapes, sunset

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "pictures"
PICTURES = {
    "apple.jpg": apple.draw,
    "beach.jpg": beach.draw,
    "city.png": city.draw,
    "meadow.jpg": meadow.draw,
    "shapes.png": shapes.draw,
    "sunset.jpg": sunset.draw,
}


def main(names: list[str]) -> None:
    """Draws the named pictures, all of them when none is named."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or PICTURES:
        picture = PICTURES[name]().reduce(brushes.SCALE)
        path = FOLDER / name
        if path.suffix == ".png":
            picture.quantize(256).save(path, optimize=True)
        else:
            picture.save(path, quality=82, optimize=True, progressive=True)
        print(f"{path.name}: {picture.width} x {picture.height}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
