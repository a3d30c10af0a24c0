"""DELETE below /v2/faces/recognition/{index_id}: a person, or one face of a person, leaves an index."""

from __future__ import annotations

from haulier.authoring import Parameter
from haulier_imagga.answers import judge_delete
from haulier_imagga.endpoints._call import DOCS, imagga_call

__all__ = ["DELETE_FACE", "DELETE_PERSON"]

_INDEX = Parameter(
    name="index_id",
    place="path",
    description="Name of the index of people.",
    required=True,
    example="staff",
)
_PERSON = Parameter(
    name="person_id",
    place="path",
    description="The name under which the person was fed.",
    required=True,
    example="{record.person_id}",
)
_NOTES = ("Train the index afterwards (train-people), else searches may still see what is gone.",)

DELETE_PERSON = imagga_call(
    name="delete-person",
    title="Face Recognition: Delete a Person",
    description="Takes the person of each record, with all faces, out of an index.",
    method="DELETE",
    path="/v2/faces/recognition/{index_id}/{person_id}",
    parameters=(_INDEX, _PERSON),
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
        _INDEX,
        _PERSON,
        Parameter(
            name="face_id",
            place="path",
            description="Id of the face.",
            required=True,
            example="{record.face_id}",
        ),
    ),
    judge=judge_delete,
    irreversible="A deleted face must be fed again, from the id of a new face detection.",
    notes=_NOTES,
    verified=True,
    source=DOCS,
)
