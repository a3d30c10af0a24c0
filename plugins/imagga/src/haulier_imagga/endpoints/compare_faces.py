"""GET /v2/faces/similarity: how likely two faces are of the same person."""

from __future__ import annotations

from haulier_imagga.endpoints._call import DOCS, imagga_call
from haulier_imagga.parameters import FACE, option

__all__ = ["COMPARE_FACES"]

COMPARE_FACES = imagga_call(
    name="compare-faces",
    title="Face Similarity",
    description="Compares the two faces of each record; `score` goes from 0 to 100.",
    method="GET",
    path="/v2/faces/similarity",
    parameters=(
        FACE,
        option(
            name="second_face_id",
            description="Id of the face it is compared with.",
            required=True,
            example="{record.second_face_id}",
        ),
    ),
    takes={"score": "/result/score"},
    notes=("Public programs take 70 or 80 and more for the same person.",),
    verified=True,
    source=DOCS,
)
