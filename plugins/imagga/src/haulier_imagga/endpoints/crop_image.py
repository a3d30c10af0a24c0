"""GET and POST /v2/croppings: where to cut a picture so that what matters stays."""

from __future__ import annotations

from haulier_imagga.answers import judge_picture
from haulier_imagga.endpoints._call import DOCS, image_calls
from haulier_imagga.parameters import flag, option

__all__ = ["CROP_IMAGE", "CROP_IMAGE_FILE", "CUT_IMAGE", "CUT_IMAGE_FILE"]

_OPTIONS = (
    option(
        name="resolution",
        description="Width and height that are wanted, in pixels; several joined by commas. Left out, Imagga chooses.",
        pattern=r"[1-9]\d*x[1-9]\d*(,[1-9]\d*x[1-9]\d*)*",
        example="500x300",
    ),
    flag(
        name="no_scaling",
        description="Cut out exactly as many pixels, instead of a larger part that is scaled down.",
        service_default="0",
    ),
    option(
        name="rect_percentage",
        description="The least part of what matters that a cut must keep, 0 to 1.",
        type="number",
        minimum=0,
        maximum=1,
        certain=True,
    ),
)

CROP_IMAGE, CROP_IMAGE_FILE = image_calls(
    name="crop-image",
    title="Smart Cropping",
    does="Suggests where to cut",
    path="/v2/croppings",
    options=_OPTIONS,
    takes={"croppings": "/result/croppings"},
    notes=("It answers with coordinates and leaves the picture alone; cut-image answers with the cut.",),
    verified=True,
    source=DOCS,
)

CUT_IMAGE, CUT_IMAGE_FILE = image_calls(
    name="cut-image",
    title="Smart Cropping, Cut",
    does="Cuts",
    path="/v2/croppings",
    # With it the answer is a picture instead of JSON: https://github.com/henomis/imagga-go
    query={"image_result": "1"},
    options=_OPTIONS,
    answers="file",
    judge=judge_picture,
    notes=("The answer is the picture itself: it is kept below `save_body`, named for its record.",),
    verified=True,
    source=DOCS,
)
