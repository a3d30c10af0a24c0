"""GET and POST /v2/tags: words for what is in a picture; below a tagger's id, by a tagger of your own."""

from __future__ import annotations

from haulier_imagga.endpoints._call import DOCS, image_calls
from haulier_imagga.parameters import LANGUAGE, flag, in_path, option

__all__ = ["TAG_IMAGE", "TAG_IMAGE_CUSTOM", "TAG_IMAGE_CUSTOM_FILE", "TAG_IMAGE_FILE"]

_TAGGER = in_path(
    name="tagger_id",
    description="Id of the tagger that was trained for your account.",
    example="my_tagger",
)
_OPTIONS = (
    LANGUAGE,
    option(
        name="limit",
        description="How many tags at most, the surest first; -1 for all.",
        type="integer",
        minimum=-1,
        service_default="-1",
        example="10",
    ),
    option(
        name="threshold",
        description="Lowest confidence of a tag, 0 to 100; below 7 it changes nothing.",
        type="number",
        minimum=0,
        maximum=100,
        service_default="0.0",
        example="30",
    ),
    flag(
        name="verbose",
        description="Also say where each tag comes from (`origin`, WordNet `synset_id`).",
        service_default="0",
    ),
    flag(
        name="decrease_parents",
        description="Lower the confidence of general tags, such as `animal` beside `dog`.",
    ),
)

TAG_IMAGE, TAG_IMAGE_FILE = image_calls(
    name="tag-image",
    title="Image Tagging",
    does="Tags",
    path="/v2/tags",
    options=(
        *_OPTIONS,
        option(
            name="tagger_id",
            description="A tagger that was trained for your account; tag-image-custom names it in the path instead.",
        ),
    ),
    takes={"tags": "/result/tags"},
    notes=("A picture of your own is tagged from its file with tag-image-file, or uploaded first.",),
    verified=True,
    source=DOCS,
)

TAG_IMAGE_CUSTOM, TAG_IMAGE_CUSTOM_FILE = image_calls(
    name="tag-image-custom",
    title="Image Tagging, Custom Tagger",
    does="Tags with a tagger of your own",
    path="/v2/tags/{tagger_id}",
    options=(_TAGGER, *_OPTIONS),
    takes={"tags": "/result/tags"},
    notes=(
        "Where the tagger's id stands is told in two ways: in the path (several clients, and here) or as the query "
        "parameter `tagger_id` (Imagga's documentation). Should the path be refused, take tag-image or tag-image-file, "
        "which have that parameter.",
    ),
    verified=False,
    source="https://github.com/henomis/imagga-go",
)
