"""GET|POST /v2/croppings and /v2/remove-background: places in a picture, and pictures that are drawn, not cut."""

from __future__ import annotations

import re
import struct
import zlib

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, File, Refusal, Result
from haulier_imagga.emulator.image_input import image_of
from haulier_imagga.emulator.options import decimal, flag
from haulier_imagga.emulator.picture import Picture
from haulier_imagga.emulator.service import Service

_MOST_SIDE = 400
_RESOLUTION = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")


def _croppings(service: Service, call: Call) -> Result | File:
    wanted = _resolutions(call)
    exact = flag(call, "no_scaling")
    decimal(call, "rect_percentage", default=0.0, least=0.0, most=1.0)
    as_picture = flag(call, "image_result")
    picture = image_of(service, call)
    width, height = picture.width or 1000, picture.height or 1000
    sizes = wanted or [(width, height)]
    if as_picture:
        return File("image/png", png(picture, *sizes[0]))
    return {"croppings": [_cropping(picture, width, height, *size, exact=exact) for size in sizes]}


def _resolutions(call: Call) -> list[tuple[int, int]]:
    text = call.option("resolution")
    if text is None:
        return []
    found = [_RESOLUTION.fullmatch(one.strip()) for one in text.split(",")]
    if not all(found):
        raise Refusal(400, f"resolution must be such as 500x300, not {text!r}")
    return [(int(one[1]), int(one[2])) for one in found if one is not None]


def _cropping(
    picture: Picture, width: int, height: int, target_width: int, target_height: int, *, exact: bool
) -> dict[str, int]:
    """The largest part with the wanted shape, or exactly as many pixels, somewhere in the picture."""
    scale = 1.0 if exact else min(width / target_width, height / target_height)
    cut_width, cut_height = min(width, int(target_width * scale)), min(height, int(target_height * scale))
    left = int((width - cut_width) * picture.fraction("crop", "left"))
    top = int((height - cut_height) * picture.fraction("crop", "top"))
    return {
        "target_width": target_width,
        "target_height": target_height,
        "x1": left,
        "y1": top,
        "x2": left + cut_width,
        "y2": top + cut_height,
    }


def _remove_background(service: Service, call: Call) -> File:
    if service.settings.free_plan:
        raise Refusal(403, "your plan does not cover this endpoint")
    picture = image_of(service, call)
    return File("image/png", png(picture, picture.width or 200, picture.height or 200))


def png(picture: Picture, width: int, height: int) -> bytes:
    """A PNG of one colour that is the picture's own, at most _MOST_SIDE wide and high."""
    width, height = min(width, _MOST_SIDE), min(height, _MOST_SIDE)
    colour = bytes(int(256 * picture.fraction("drawn", channel)) for channel in "rgb")
    rows = b"".join(b"\0" + colour * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


ENDPOINTS = (
    Endpoint(
        path="/v2/croppings",
        methods=("GET", "POST"),
        answer=_croppings,
        mark="A",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.AIRBYTE),
        unknown=(
            "the format of the picture that image_result asks for (here: PNG, of one colour), what is suggested "
            "without a resolution (here: the whole picture)"
        ),
        metered=True,
    ),
    Endpoint(
        path="/v2/remove-background",
        methods=("GET", "POST"),
        answer=_remove_background,
        mark="A",
        sources=(sources.DOCS, sources.CLIENT_CODE),
        unknown="how result_background is written (here: taken, and not used). The picture is of one colour",
        metered=True,
    ),
)
