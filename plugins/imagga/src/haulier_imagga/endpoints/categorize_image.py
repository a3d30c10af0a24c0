"""GET and POST /v2/categories/{categorizer_id}: which of a categorizer's classes a picture belongs to."""

from __future__ import annotations

from haulier.authoring import Parameter
from haulier_imagga.answers import judge
from haulier_imagga.endpoints._call import imagga_call
from haulier_imagga.parameters import BY_CONTENT, BY_REFERENCE, LANGUAGE, ONE_CONTENT, ONE_REFERENCE

__all__ = ["CATEGORIZE_IMAGE", "CATEGORIZE_IMAGE_FILE"]

_OPTIONS = (
    Parameter(
        name="categorizer_id",
        place="path",
        description=(
            "Which categorizer: personal_photos, general_v3, adult_content or one of your account's own."
        ),
        required=True,
        example="personal_photos",
    ),
    LANGUAGE,
    Parameter(
        name="save_index",
        place="query",
        description="Also keep the picture in this index of visual search.",
    ),
    Parameter(
        name="save_id",
        place="query",
        description="Under this id in that index; the same id overwrites.",
    ),
)
_TAKES = {"categories": "/result/categories"}
_NOTES = ("GET /v2/categorizers lists the categorizers of an account.",)

CATEGORIZE_IMAGE = imagga_call(
    name="categorize-image",
    title="Categorization",
    description="Categorizes one picture per record, named by its address or its upload id.",
    method="GET",
    path="/v2/categories/{categorizer_id}",
    parameters=(*BY_REFERENCE, *_OPTIONS),
    one_of=ONE_REFERENCE,
    takes=_TAKES,
    judge=judge,
    notes=_NOTES,
    verified=True,
    source="https://docs.imagga.com/",
)

CATEGORIZE_IMAGE_FILE = imagga_call(
    name="categorize-image-file",
    title="Categorization, From a File",
    description="Categorizes one picture file per record without uploading it before.",
    method="POST",
    path="/v2/categories/{categorizer_id}",
    parameters=(*BY_CONTENT, *_OPTIONS),
    one_of=ONE_CONTENT,
    content_formats=("multipart", "form"),
    takes=_TAKES,
    judge=judge,
    notes=_NOTES,
    verified=True,
    source="https://docs.imagga.com/",
)
