"""POST /v2/faces/groupings: which of many faces are of the same person; one job for the whole input."""

from __future__ import annotations

from haulier_imagga.endpoints._call import imagga_job
from haulier_imagga.jobs import FOLLOW_GROUPS

__all__ = ["GROUP_FACES"]

GROUP_FACES = imagga_job(
    name="group-faces",
    title="Create Face Groupings",
    description=(
        "Gathers the attribute `face_id` of all records into one call and starts one job, which is followed to "
        "its end: one line for each face with its `group`. Face ids come from detect-faces with "
        "return_face_id, they are not addresses of pictures."
    ),
    method="POST",
    path="/v2/faces/groupings",
    attributes="body",
    content_formats=("json",),
    batch="whole",
    batching={"grouping": {"name": "property", "property_name": "faces"}, "item": "face_id"},
    item_type="text",
    # Asked for by the types of a TypeScript client (public client code, address unknown, read 2026-11-22).
    minimum_records=5,
    follow=FOLLOW_GROUPS,
    notes=(
        (
            "The whole input goes into one call and is never split: a grouping compares all faces with "
            "each other."
        ),
        "At least five faces; a client's type says so, Imagga's documentation was not seen to.",
        "An address that Imagga calls when the job is done goes beside the faces: `batching: "
        "{grouping: {name: property, property_name: faces, other_props: {callback_url: ...}}}`.",
    ),
    verified=True,
    source="https://github.com/henomis/imagga-go",
)
