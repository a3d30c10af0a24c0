"""GET|POST /v2/text and GET /v2/barcodes: texts drawn from a picture's hash. Not vision."""

from __future__ import annotations

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.image_input import image_of
from haulier_imagga.emulator.picture import Picture
from haulier_imagga.emulator.service import Service
from haulier_imagga.emulator.tags import WORDS


def _text(service: Service, call: Call) -> Result:
    if call.option("image_upload_id") is not None:
        raise Refusal(400, "image_upload_id is not listed for this endpoint; send image_url, or the file")
    picture = image_of(service, call)
    count = 1 + int(3 * picture.fraction("words"))
    return {
        "text": [
            {
                "data": WORDS[int(len(WORDS) * picture.fraction("word", place))].upper(),
                "coordinates": _box(picture, place, ("xmin", "ymin", "xmax", "ymax")),
            }
            for place in range(count)
        ]
    }


def _barcodes(service: Service, call: Call) -> Result:
    picture = image_of(service, call)
    digits = f"{int(10**12 * picture.fraction('barcode')):012d}"
    # The last digit of an EAN-13: https://www.gs1.org/services/how-calculate-check-digit-manually
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    data = f"{digits}{-total % 10}"
    return {"barcodes": [{"type": "EAN13", "data": data, **_box(picture, 0, ("x1", "y1", "x2", "y2"))}]}


def _box(picture: Picture, place: int, names: tuple[str, str, str, str]) -> dict[str, int]:
    width, height = picture.width or 1000, picture.height or 1000
    left, top = int(width * picture.fraction("x", place) / 2), int(height * picture.fraction("y", place) / 2)
    return dict(zip(names, (left, top, left + width // 4, top + height // 10), strict=True))


ENDPOINTS = (
    Endpoint(
        path="/v2/text",
        methods=("GET", "POST"),
        answer=_text,
        mark="A",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.AIRBYTE),
        unknown=(
            "the names inside coordinates (here: those of faces), and whether an upload id is taken (here: no, as it "
            "is not listed)"
        ),
        metered=True,
    ),
    Endpoint(
        path="/v2/barcodes",
        methods=("GET",),
        answer=_barcodes,
        mark="A",
        sources=(sources.GO_CLIENT, sources.AIRBYTE),
        unknown="whether it is still there: Imagga's documentation does not list it; the types (here: EAN13)",
        metered=True,
    ),
)
