"""GET and POST /v2/faces/detections: where faces are in a picture."""

from __future__ import annotations

from haulier_imagga.endpoints._call import DOCS, image_calls
from haulier_imagga.parameters import flag

__all__ = ["DETECT_FACES", "DETECT_FACES_FILE"]

DETECT_FACES, DETECT_FACES_FILE = image_calls(
    name="detect-faces",
    title="Face Detection",
    does="Finds the faces in",
    path="/v2/faces/detections",
    options=(
        flag(
            name="return_face_id",
            description="Give each face an id; needed for group-faces and all other calls about faces.",
            service_default="0",
            example="true",
        ),
        flag(
            name="return_face_attributes",
            description="Also tell attributes of each face.",
            service_default="0",
        ),
    ),
    takes={"faces": "/result/faces", "face_id": "/result/faces/0/face_id"},
    notes=(
        "`face_id` is that of the first face, empty unless return_face_id is asked for: what group-faces "
        "takes where pictures show one person each. `faces` holds all of them.",
    ),
    verified=True,
    source=DOCS,
)
