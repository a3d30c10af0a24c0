"""POST /v2/uploads: a picture becomes an `upload_id` that other calls take for 24 hours."""

from __future__ import annotations

from haulier_imagga.endpoints._call import imagga_call
from haulier_imagga.parameters import BY_CONTENT, ONE_CONTENT

__all__ = ["UPLOAD_IMAGE"]

UPLOAD_IMAGE = imagga_call(
    name="upload-image",
    title="Upload Image File",
    description=(
        "Uploads one picture per record and takes its `upload_id` out of the answer; tag-image, "
        "categorize-image and the like take it as `image_upload_id`."
    ),
    method="POST",
    path="/v2/uploads",
    parameters=BY_CONTENT,
    one_of=ONE_CONTENT,
    content_formats=("multipart", "form"),
    idempotent=False,
    takes={"upload_id": "/result/upload_id"},
    notes=(
        "An upload expires by itself after 24 hours; delete-upload removes it before, and `haulier imagga cleanup "
        "FILE` all that an output has written down.",
        "The format form carries `image_base64` only; a file needs multipart.",
        (
            "A side of about 300 pixels is enough for analysis "
            "(https://github.com/gbicou/directus-extension-imagga)."
        ),
        "Sending twice leaves a second copy, which nobody refers to and which expires as well.",
    ),
    verified=True,
    source="https://docs.imagga.com/",
)
