"""GET and POST /v2/categories/nsfw_beta: whether a picture is safe to show."""

from __future__ import annotations

from haulier_imagga.answers import judge
from haulier_imagga.endpoints._call import imagga_call
from haulier_imagga.parameters import BY_CONTENT, BY_REFERENCE, LANGUAGE, ONE_CONTENT, ONE_REFERENCE

__all__ = ["MODERATE_CONTENT", "MODERATE_CONTENT_FILE"]

_TAKES = {"categories": "/result/categories"}
_NOTES = (
    "nsfw_beta is widely used, but Imagga's documentation now lists adult_content in its place: use "
    "categorize-image with `categorizer_id: adult_content` where nsfw_beta is no longer answered.",
    "Class names seen: safe and nsfw.",
)
_SOURCE = "https://docs.nexla.com/user-guides/connectors/imagga_api/imagga_api_destination"

MODERATE_CONTENT = imagga_call(
    name="moderate-content",
    title="Content Moderation",
    description="Tells whether the picture of each record is safe, named by its address or its upload id.",
    method="GET",
    path="/v2/categories/nsfw_beta",
    parameters=(*BY_REFERENCE, LANGUAGE),
    one_of=ONE_REFERENCE,
    takes=_TAKES,
    judge=judge,
    notes=_NOTES,
    verified=False,
    source=_SOURCE,
)

MODERATE_CONTENT_FILE = imagga_call(
    name="moderate-content-file",
    title="Content Moderation, From a File",
    description="Tells whether the picture file of each record is safe, without uploading it before.",
    method="POST",
    path="/v2/categories/nsfw_beta",
    parameters=(*BY_CONTENT, LANGUAGE),
    one_of=ONE_CONTENT,
    content_formats=("multipart", "form"),
    takes=_TAKES,
    judge=judge,
    notes=_NOTES,
    verified=False,
    source=_SOURCE,
)
