"""GET and POST /v2/categories/{categorizer_id} with an index: pictures that visual search finds again."""

from __future__ import annotations

from haulier_imagga.endpoints._call import DOCS, image_calls
from haulier_imagga.parameters import SAVE_ID, SAVE_INDEX, SIMILAR_BY

__all__ = ["FEED_SIMILAR_IMAGES", "FEED_SIMILAR_IMAGES_FILE"]

FEED_SIMILAR_IMAGES, FEED_SIMILAR_IMAGES_FILE = image_calls(
    name="feed-similar-images",
    title="Visual Search: Feed Images",
    does="Categorizes, and keeps in an index of visual search,",
    path="/v2/categories/{categorizer_id}",
    options=(
        SIMILAR_BY,
        SAVE_INDEX.model_copy(
            update={"required": True, "description": "The index of visual search; feeding makes it."}
        ),
        SAVE_ID.model_copy(
            update={
                "required": True,
                "description": "What the picture is called there; the same id overwrites.",
            }
        ),
    ),
    takes={"categories": "/result/categories"},
    notes=("general_v3 is the categorizer that visual search is mostly used with.",),
    verified=True,
    source=DOCS,
)
