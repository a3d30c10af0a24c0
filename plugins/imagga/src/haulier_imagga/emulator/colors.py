"""GET|POST /v2/colors: colours drawn from a picture's hash."""

from __future__ import annotations

from typing import Any

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.image_input import image_of
from haulier_imagga.emulator.options import flag, whole
from haulier_imagga.emulator.picture import Picture
from haulier_imagga.emulator.service import Service
from haulier_imagga.emulator.similar import save_in_index

# Ours: (name, parent, red, green, blue). The service's palette is larger and not published.
PALETTE = (
    ("black", "black", 0, 0, 0),
    ("white", "white", 255, 255, 255),
    ("grey", "grey", 128, 128, 128),
    ("crimson", "red", 190, 20, 50),
    ("orange", "orange", 240, 140, 20),
    ("gold", "yellow", 225, 190, 40),
    ("forest", "green", 30, 110, 50),
    ("teal", "blue", 20, 130, 130),
    ("navy", "blue", 20, 30, 110),
    ("violet", "violet", 130, 60, 160),
    ("rose", "pink", 235, 140, 170),
    ("umber", "brown", 110, 70, 40),
)


def _colors(service: Service, call: Call) -> Result:
    # https://docs.imagga.com/ and https://github.com/henomis/imagga-go name the options;
    # https://github.com/gbicou/directus-extension-imagga has the defaults 5 and 3.
    overall = whole(call, "overall_count", default=5, least=1) * flag(
        call, "extract_overall_colors", default=True
    )
    separated = whole(call, "separated_count", default=3, least=1) * flag(
        call, "extract_object_colors", default=True
    )
    flag(call, "deterministic")
    if call.option("features_type") not in (None, "overall", "object"):
        raise Refusal(400, f"features_type must be overall or object, not {call.option('features_type')!r}")
    picture = image_of(service, call)
    save_in_index(service, call, "colors", "", picture)
    return {
        "colors": {
            "background_colors": _drawn(picture, "background", separated),
            "foreground_colors": _drawn(picture, "foreground", separated),
            "image_colors": _drawn(picture, "image", overall),
            "color_percent_threshold": 1.75,
            "color_variance": int(10 + 80 * picture.fraction("variance")),
            "object_percentage": 100.0 * picture.fraction("object"),
        }
    }


def _drawn(picture: Picture, part: str, count: int) -> list[dict[str, Any]]:
    weights = [0.05 + picture.fraction(part, place, "weight") for place in range(count)]
    colours = [
        _colour(picture, part, place, 100.0 * weight / sum(weights)) for place, weight in enumerate(weights)
    ]
    return sorted(colours, key=lambda colour: -float(colour["percent"]))


def _colour(picture: Picture, part: str, place: int, percent: float) -> dict[str, Any]:
    red, green, blue = (int(256 * picture.fraction(part, place, channel)) for channel in "rgb")
    distance, (name, parent, *near) = min(
        (sum((a - b) ** 2 for a, b in zip((red, green, blue), known[2:], strict=True)) ** 0.5, known)
        for known in PALETTE
    )
    return {
        "r": red,
        "g": green,
        "b": blue,
        "html_code": f"#{red:02x}{green:02x}{blue:02x}",
        "percent": percent,
        "closest_palette_color": name,
        "closest_palette_color_html_code": "#{:02x}{:02x}{:02x}".format(*near),
        "closest_palette_color_parent": parent,
        "closest_palette_distance": distance,
    }


ENDPOINTS = (
    Endpoint(
        path="/v2/colors",
        methods=("GET", "POST"),
        answer=_colors,
        mark="A",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.DIRECTUS, sources.AIRBYTE),
        unknown="the palette (here: twelve colours of our own)",
        metered=True,
    ),
)
