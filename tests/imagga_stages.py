"""Stages of chains at Imagga: a picture is uploaded, something is made of it, and the upload is deleted."""

from __future__ import annotations

from typing import Any

__all__ = ["DELETE", "UPLOAD", "UPLOAD_ID", "categorize"]

UPLOAD_ID = "{record.upload.result.upload_id}"
UPLOAD = {
    "name": "upload",
    "endpoint": "upload-image",
    "params": {"image": "{record.file}"},
    "files_root": "pictures",
}
DELETE = {
    "name": "delete",
    "endpoint": "delete-upload",
    "params": {"uploadId": UPLOAD_ID},
    "after": "settled",
}


def categorize(**batching: Any) -> dict[str, Any]:
    """A job for all uploads of a batch; batching: its bounds."""
    return {
        "name": "categorize",
        "endpoint": "start-batch",
        "add": {"params.image_upload_id": UPLOAD_ID, "params.categorizer_id": "personal_photos"},
        "batching": {
            "item": ["params"],
            "grouping": {"name": "property", "property_name": "/categories"},
            **batching,
        },
    }
