"""POST /v2/tags/feedback: whether tags were right. Known from one page only, without its field names."""

from __future__ import annotations

from haulier.authoring import Parameter
from haulier_imagga.endpoints._call import imagga_call

__all__ = ["TAG_FEEDBACK"]

TAG_FEEDBACK = imagga_call(
    name="tag-feedback",
    title="Submit Tag Feedback",
    description=(
        "Sends the attributes of each record as a JSON body that says which tags of a picture were "
        "right or wrong, such as {image_url: ..., tags: [beach], feedback: positive}. The parameters "
        "add to that body."
    ),
    method="POST",
    path="/v2/tags/feedback",
    parameters=(
        Parameter(
            name="image_url", place="body", description="Address of the picture.", example="{record.url}"
        ),
        Parameter(
            name="image_upload_id",
            place="body",
            description="Or its upload id.",
            example="{record.upload_id}",
        ),
        Parameter(name="tags", place="body", type="list", description="The tags that are spoken of."),
        Parameter(
            name="feedback",
            place="body",
            description="Whether these tags are right (positive) or wrong (negative).",
            choices=("positive", "negative"),
            example="positive",
        ),
    ),
    attributes="body",
    content_formats=("json",),
    idempotent=False,
    notes=(
        "Not verified: neither Imagga's documentation nor any public client shows this call. It was "
        "never tried against the service; try one record with `haulier test` first.",
        "The field names are Haulier's own. Whatever the service turns out to want can be sent: every "
        "attribute that is not excluded goes into the body under its own name.",
    ),
    verified=False,
    source="https://docs.nexla.com/user-guides/connectors/imagga_api/imagga_api_destination",
)
