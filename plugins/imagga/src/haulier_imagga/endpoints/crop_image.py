"""GET and POST /v2/croppings: where to cut a picture so that what matters stays."""

from __future__ import annotations

from haulier.authoring import Parameter
from haulier_imagga.endpoints._call import DOCS, image_calls

__all__ = ["CROP_IMAGE", "CROP_IMAGE_FILE", "CROP_OPTIONS"]

CROP_OPTIONS = (
    Parameter(
        name="resolution",
        place="query",
        description="Width and height that are wanted, in pixels; several joined by commas. Left out, Imagga chooses.",
        example="500x300",
    ),
    Parameter(
        name="no_scaling",
        place="query",
        description="Cut out exactly as many pixels, instead of a larger part that is scaled down.",
        type="boolean",
        service_default="0",
    ),
    Parameter(
        name="rect_percentage",
        place="query",
        description="The least part of what matters that a cut must keep, 0 to 1.",
        type="number",
        minimum=0,
        maximum=1,
    ),
)

CROP_IMAGE, CROP_IMAGE_FILE = image_calls(
    name="crop-image",
    title="Smart Cropping",
    does="Suggests where to cut",
    path="/v2/croppings",
    options=CROP_OPTIONS,
    takes={"croppings": "/result/croppings"},
    notes=("It answers with coordinates and leaves the picture alone.",),
    verified=True,
    source=DOCS,
)
