"""DELETE /v2/uploads/{uploadId}: removes an uploaded picture before its 24 hours are over."""

from __future__ import annotations

from haulier_imagga.answers import judge_delete
from haulier_imagga.endpoints._call import imagga_call
from haulier_imagga.parameters import in_path

__all__ = ["DELETE_UPLOAD"]

DELETE_UPLOAD = imagga_call(
    name="delete-upload",
    title="Delete Uploaded Image",
    description="Deletes one uploaded picture per record. One that is already gone counts as delivered.",
    method="DELETE",
    path="/v2/uploads/{uploadId}",
    parameters=(
        in_path(
            name="uploadId",
            description="The `upload_id` that upload-image took out of its answer.",
            example="{record.upload_id}",
        ),
    ),
    judge=judge_delete,
    irreversible="A deleted upload cannot be recovered: calls that name its id fail from then on.",
    notes=(
        "What is answered for an unknown or expired id was not seen; 410, and 404 in Imagga's own "
        "envelope, are taken for already gone.",
    ),
    verified=True,
    source="https://github.com/gbicou/directus-extension-imagga",
)
