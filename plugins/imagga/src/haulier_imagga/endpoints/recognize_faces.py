"""/v2/faces/recognition/{index_id}: people are fed with faces, the index is trained, faces are looked up in it."""

from __future__ import annotations

from haulier.authoring import Parameter
from haulier_imagga.endpoints._call import DOCS, imagga_call
from haulier_imagga.parameters import FACE, PEOPLE, PERSON, THRESHOLD, window

__all__ = ["FEED_PEOPLE", "GET_PERSON", "SEARCH_PEOPLE"]

_PATH = "/v2/faces/recognition/{index_id}"

FEED_PEOPLE = imagga_call(
    name="feed-people",
    title="Face Recognition: Feed People",
    description="Puts the people of each record, with the ids of their faces, into an index; train-people comes next.",
    method="PUT",
    path=_PATH,
    parameters=(
        PEOPLE,
        Parameter(
            name="people",
            place="body",
            description='Face ids by person: {"anna": ["<face id>", ...]}, as an attribute of the record.',
            required=True,
            example="{record.people}",
        ),
    ),
    content_formats=("json",),
    notes=("Face ids come from detect-faces with return_face_id.", "Feeding makes the index."),
    verified=True,
    source=DOCS,
)

SEARCH_PEOPLE = imagga_call(
    name="search-people",
    title="Face Recognition: Who Is It",
    description="Looks the face of each record up in a trained index of people.",
    method="GET",
    path=_PATH,
    parameters=(PEOPLE, FACE, *window("people"), THRESHOLD),
    takes={"people": "/result/people"},
    notes=(
        "What the attributes of each one found are called was not read in any source; `people` holds all of it.",
    ),
    verified=True,
    source=DOCS,
)

GET_PERSON = imagga_call(
    name="get-person",
    title="Face Recognition: Faces of a Person",
    description="Asks which faces an index has of the person of each record.",
    method="GET",
    path=f"{_PATH}/{{person_id}}",
    parameters=(PEOPLE, PERSON),
    takes={"person": "/result"},
    notes=("The names inside `person` were not read in any source.",),
    verified=True,
    source=DOCS,
)
