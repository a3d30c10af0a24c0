"""GET and POST /v2/categories/{categorizer_id}: which of a categorizer's classes a picture belongs to."""

from __future__ import annotations

from haulier_imagga.endpoints._call import DOCS, image_calls
from haulier_imagga.parameters import CATEGORIZER, LANGUAGE, SAVE_ID, SAVE_INDEX, flag

__all__ = ["CATEGORIZE_IMAGE", "CATEGORIZE_IMAGE_FILE"]

CATEGORIZE_IMAGE, CATEGORIZE_IMAGE_FILE = image_calls(
    name="categorize-image",
    title="Categorization",
    does="Categorizes",
    path="/v2/categories/{categorizer_id}",
    options=(
        CATEGORIZER,
        LANGUAGE,
        SAVE_INDEX,
        SAVE_ID,
        flag(
            name="return_tags",
            description="With adult_content: also tell the tags that led there.",
        ),
    ),
    takes={"categories": "/result/categories"},
    notes=(
        "list-categorizers tells which categorizers an account has.",
        "save_index and save_id belong together; feed-similar-images is the same call with both required.",
    ),
    verified=True,
    source=DOCS,
)
