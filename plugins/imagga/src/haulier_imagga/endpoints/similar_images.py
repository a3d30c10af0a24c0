"""Visual search: pictures are fed through a categorizer, and found again by other pictures that look like them."""

from __future__ import annotations

from haulier.authoring import Parameter
from haulier_imagga.endpoints._call import DOCS, image_calls, imagga_call
from haulier_imagga.parameters import CATEGORIZER, ENTRY, INDEX, SAVE_ID, SAVE_INDEX, window

__all__ = [
    "FEED_SIMILAR_IMAGES",
    "FEED_SIMILAR_IMAGES_FILE",
    "SEARCH_BY_ENTRY",
    "SEARCH_SIMILAR_IMAGES",
    "SEARCH_SIMILAR_IMAGES_FILE",
]

_PATH = "/v2/similar-images/categories/{categorizer_id}/{index_id}"
_FOUND = {"found": "/result"}
_OPTIONS = (
    Parameter(
        name="distance",
        place="query",
        description="How unlike a picture may be that is still found.",
        type="number",
        minimum=0,
    ),
    *window("pictures"),
    Parameter(name="region", place="query", description="Part of the picture that counts."),
    Parameter(
        name="merge_by_separator",
        place="query",
        description="Entries whose ids are the same up to this text count as one.",
    ),
    Parameter(
        name="merge_by_algorithm", place="query", description="How entries that count as one are weighed."
    ),
)
_NOTES = (
    "What the answer's list is called was not read in any source: `found` holds the whole result.",
    "An index must be trained before it is searched: train-similar-images.",
)

FEED_SIMILAR_IMAGES, FEED_SIMILAR_IMAGES_FILE = image_calls(
    name="feed-similar-images",
    title="Visual Search: Feed Images",
    does="Categorizes, and keeps in an index of visual search,",
    path="/v2/categories/{categorizer_id}",
    options=(
        CATEGORIZER.model_copy(update={"example": "general_v3"}),
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

SEARCH_SIMILAR_IMAGES, SEARCH_SIMILAR_IMAGES_FILE = image_calls(
    name="search-similar-images",
    title="Visual Search: Find Similar Images",
    does="Finds in an index those that look like",
    path=_PATH,
    options=(CATEGORIZER, INDEX, *_OPTIONS),
    takes=_FOUND,
    notes=_NOTES,
    verified=True,
    source=DOCS,
)

SEARCH_BY_ENTRY = imagga_call(
    name="search-similar-by-entry",
    title="Visual Search: Find Similar Entries",
    description="Finds in an index the pictures that look like one that is in it, named by its id for each record.",
    method="GET",
    path=f"{_PATH}/{{entry_id}}",
    parameters=(CATEGORIZER, INDEX, ENTRY, *_OPTIONS),
    takes=_FOUND,
    notes=_NOTES,
    verified=True,
    source=DOCS,
)
