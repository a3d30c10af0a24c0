"""GET and POST /v2/faces/detections: where faces are in a picture."""

from __future__ import annotations

from haulier.authoring import Parameter
from haulier_imagga.answers import judge
from haulier_imagga.endpoints._call import imagga_call
from haulier_imagga.parameters import BY_CONTENT, BY_REFERENCE, ONE_CONTENT, ONE_REFERENCE

__all__ = ["DETECT_FACES", "DETECT_FACES_FILE"]

_OPTIONS = (
    Parameter(
        name="return_face_id",
        place="query",
        description="Give each face an id; needed for group-faces.",
        type="boolean",
        example="true",
    ),
    Parameter(
        name="return_face_attributes",
        place="query",
        description="Also tell attributes of each face.",
        type="boolean",
    ),
)
_TAKES = {"faces": "/result/faces", "face_id": "/result/faces/0/face_id"}
_NOTES = (
    "`face_id` is that of the first face, empty unless return_face_id is asked for: what group-faces "
    "takes where pictures show one person each. `faces` holds all of them.",
)

DETECT_FACES = imagga_call(
    name="detect-faces",
    title="Face Detection",
    description="Finds the faces in one picture per record, named by its address or its upload id.",
    method="GET",
    path="/v2/faces/detections",
    parameters=(*BY_REFERENCE, *_OPTIONS),
    one_of=ONE_REFERENCE,
    takes=_TAKES,
    judge=judge,
    notes=_NOTES,
    verified=True,
    source="https://docs.imagga.com/",
)

DETECT_FACES_FILE = imagga_call(
    name="detect-faces-file",
    title="Face Detection, From a File",
    description="Finds the faces in one picture file per record without uploading it before.",
    method="POST",
    path="/v2/faces/detections",
    parameters=(*BY_CONTENT, *_OPTIONS),
    one_of=ONE_CONTENT,
    content_formats=("multipart", "form"),
    takes=_TAKES,
    judge=judge,
    notes=_NOTES,
    verified=True,
    source="https://docs.imagga.com/",
)
