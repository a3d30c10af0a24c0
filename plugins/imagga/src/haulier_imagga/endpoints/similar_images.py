"""GET and POST /v2/similar-images/...: pictures of an index that look like another one."""

from __future__ import annotations

from haulier_imagga.endpoints._call import DOCS, image_calls, imagga_call
from haulier_imagga.parameters import ENTRY, INDEX, SIMILAR_BY, option, window

__all__ = [
    "SEARCH_BY_ENTRY",
    "SEARCH_SIMILAR_IMAGES",
    "SEARCH_SIMILAR_IMAGES_FILE",
]

_PATH = "/v2/similar-images/categories/{categorizer_id}/{index_id}"
_FOUND = {"found": "/result"}
_OPTIONS = (
    option(
        name="distance",
        description="How unlike a picture may be that is still found.",
        type="number",
        minimum=0,
    ),
    *window("pictures"),
    option(name="region", description="Part of the picture that counts."),
    option(
        name="merge_by_separator",
        description="Entries whose ids are the same up to this text count as one.",
    ),
    option(name="merge_by_algorithm", description="How entries that count as one are weighed."),
)
_NOTES = (
    "What the answer's list is called was not read in any source: `found` holds the whole result.",
    "An index must be trained before it is searched: train-similar-images.",
)

SEARCH_SIMILAR_IMAGES, SEARCH_SIMILAR_IMAGES_FILE = image_calls(
    name="search-similar-images",
    title="Visual Search: Find Similar Images",
    does="Finds in an index those that look like",
    path=_PATH,
    options=(SIMILAR_BY, INDEX, *_OPTIONS),
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
    parameters=(SIMILAR_BY, INDEX, ENTRY, *_OPTIONS),
    takes=_FOUND,
    notes=_NOTES,
    verified=True,
    source=DOCS,
)
