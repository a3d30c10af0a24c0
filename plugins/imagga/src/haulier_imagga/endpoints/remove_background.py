"""GET and POST /v2/remove-background: the picture without what is behind its object."""

from __future__ import annotations

from haulier_imagga.answers import judge_picture
from haulier_imagga.endpoints._call import DOCS, image_calls
from haulier_imagga.parameters import option

__all__ = ["REMOVE_BACKGROUND", "REMOVE_BACKGROUND_FILE"]

REMOVE_BACKGROUND, REMOVE_BACKGROUND_FILE = image_calls(
    name="remove-background",
    title="Background Removal",
    does="Removes the background of",
    path="/v2/remove-background",
    options=(
        option(
            name="result_background",
            description="What stands in its place; left out, nothing does.",
            example="FFFFFF",
        ),
    ),
    answers="file",
    judge=judge_picture,
    notes=(
        "The answer is the picture itself, a PNG: it is kept below `save_body`, named for its record.",
        "Plans that are free do not cover it: they are answered 403, which stops the run.",
        "How result_background is written was not read in any source.",
    ),
    verified=True,
    source=DOCS,
)
