"""DELETE below /v2/faces/recognition/{index_id}: a person, or one face of a person, leaves an index."""

from __future__ import annotations

from haulier_imagga.answers import judge_delete
from haulier_imagga.endpoints._call import DOCS, imagga_call
from haulier_imagga.parameters import PEOPLE, PERSON, in_path

__all__ = ["DELETE_FACE", "DELETE_PERSON"]

_NOTES = ("Train the index afterwards (train-people), else searches may still see what is gone.",)

DELETE_PERSON = imagga_call(
    name="delete-person",
    title="Face Recognition: Delete a Person",
    description="Takes the person of each record, with all faces, out of an index.",
    method="DELETE",
    path="/v2/faces/recognition/{index_id}/{person_id}",
    parameters=(PEOPLE, PERSON),
    judge=judge_delete,
    irreversible="A deleted person must be fed again, from the ids of new face detections.",
    notes=_NOTES,
    verified=True,
    source=DOCS,
)

DELETE_FACE = imagga_call(
    name="delete-face",
    title="Face Recognition: Delete a Face",
    description="Takes the face of each record out of what an index has of a person.",
    method="DELETE",
    path="/v2/faces/recognition/{index_id}/{person_id}/{face_id}",
    parameters=(
        PEOPLE,
        PERSON,
        in_path(name="face_id", description="Id of the face.", example="{record.face_id}"),
    ),
    judge=judge_delete,
    irreversible="A deleted face must be fed again, from the id of a new face detection.",
    notes=_NOTES,
    verified=True,
    source=DOCS,
)
