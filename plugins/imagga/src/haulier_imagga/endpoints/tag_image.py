"""GET and POST /v2/tags: words for what is in a picture."""

from __future__ import annotations

from haulier.authoring import Parameter
from haulier_imagga.answers import judge
from haulier_imagga.endpoints._call import imagga_call
from haulier_imagga.parameters import BY_CONTENT, BY_REFERENCE, LANGUAGE, ONE_CONTENT, ONE_REFERENCE

__all__ = ["TAG_IMAGE", "TAG_IMAGE_FILE"]

_OPTIONS = (
    LANGUAGE,
    Parameter(
        name="limit",
        place="query",
        description="How many tags at most, the surest first; -1 for all.",
        type="integer",
        minimum=-1,
        service_default="-1",
        example="10",
    ),
    Parameter(
        name="threshold",
        place="query",
        description="Lowest confidence of a tag, 0 to 100; below 7 it changes nothing.",
        type="number",
        minimum=0,
        maximum=100,
        service_default="0.0",
        example="30",
    ),
    Parameter(
        name="verbose",
        place="query",
        description="Also say where each tag comes from (`origin`, WordNet `synset_id`).",
        type="boolean",
        service_default="0",
    ),
    Parameter(
        name="decrease_parents",
        place="query",
        description="Lower the confidence of general tags, such as `animal` beside `dog`.",
        type="boolean",
    ),
)
_TAKES = {"tags": "/result/tags"}

TAG_IMAGE = imagga_call(
    name="tag-image",
    title="Image Tagging",
    description="Tags one picture per record, named by its address or its upload id.",
    method="GET",
    path="/v2/tags",
    parameters=(*BY_REFERENCE, *_OPTIONS),
    one_of=ONE_REFERENCE,
    takes=_TAKES,
    judge=judge,
    notes=("A file is tagged with tag-image-file.",),
    verified=True,
    source="https://docs.imagga.com/",
)

TAG_IMAGE_FILE = imagga_call(
    name="tag-image-file",
    title="Image Tagging, From a File",
    description="Tags one picture file per record without uploading it before.",
    method="POST",
    path="/v2/tags",
    parameters=(*BY_CONTENT, *_OPTIONS),
    one_of=ONE_CONTENT,
    content_formats=("multipart", "form"),
    takes=_TAKES,
    judge=judge,
    verified=True,
    source="https://docs.imagga.com/",
)
