"""Below /v2/faces/recognition/{index_id}: people are fed with faces, trained, looked up and deleted."""

from __future__ import annotations

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.faces import check_callback, require_face, similarity
from haulier_imagga.emulator.holdings import taken_out
from haulier_imagga.emulator.options import decimal, whole
from haulier_imagga.emulator.service import Service

_PATH = "/v2/faces/recognition/{index_id}"


def _index(service: Service, call: Call) -> Result | None:
    if call.method == "PUT":
        _feed(service, call)
        return None
    if call.method == "POST":
        return _train(service, call)
    return _search(service, call)


def _feed(service: Service, call: Call) -> None:
    people = call.json_object().get("people")
    if not isinstance(people, dict) or not people:
        raise Refusal(400, "people must be an object of face ids by person")
    for faces in people.values():
        if not isinstance(faces, list) or not all(isinstance(face, str) for face in faces):
            raise Refusal(400, "each person must have a list of face ids")
        for face in faces:
            require_face(service, call, face)
    fed = service.people.made(call.user, call.path_values["index_id"]).fed
    for person, faces in people.items():
        fed[person] = [*dict.fromkeys([*fed.get(person, []), *faces])]


def _train(service: Service, call: Call) -> Result:
    check_callback(call.option("callback_url"))
    index = service.people.get(call.user, call.path_values["index_id"])
    return service.training(call.user, index)


def _search(service: Service, call: Call) -> Result:
    face = call.option("face_id")
    if not face:
        raise Refusal(400, "face_id is missing")
    require_face(service, call, face)
    least = decimal(call, "threshold", default=0.0, least=0.0, most=100.0)
    offset, count = whole(call, "offset", default=0, least=0), whole(call, "count", default=10, least=1)
    trained = service.people.get(call.user, call.path_values["index_id"]).trained
    scores = {
        person: max(similarity(face, known) for known in faces) for person, faces in trained.items() if faces
    }
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    people = [{"id": person, "score": score} for person, score in ranked if score >= least]
    return {"people": people[offset : offset + count], "count": len(people)}


def _person(service: Service, call: Call) -> Result | None:
    fed = service.people.get(call.user, call.path_values["index_id"]).fed
    person = call.path_values["person_id"]
    if call.method == "DELETE":
        taken_out(fed, person, "person")
        return None
    if person not in fed:
        raise Refusal(404, f"there is no person {person!r} in this index")
    return {"id": person, "faces": list(fed[person])}


def _face(service: Service, call: Call) -> None:
    fed = service.people.get(call.user, call.path_values["index_id"]).fed
    person, face = call.path_values["person_id"], call.path_values["face_id"]
    if face not in fed.get(person, []):
        raise Refusal(404, f"person {person!r} has no face {face!r} in this index")
    fed[person].remove(face)


ENDPOINTS = (
    Endpoint(
        path=_PATH,
        methods=("GET", "POST", "PUT"),
        answer=_index,
        mark="B",
        sources=(sources.DOCS, sources.CLIENT_CODE),
        unknown=(
            "the names inside people (here: id and score), what is told of an unknown index (here: 404) or face (here: "
            "400), and how a callback is made (here: never)"
        ),
    ),
    Endpoint(
        path=f"{_PATH}/{{person_id}}",
        methods=("GET", "DELETE"),
        answer=_person,
        mark="B",
        sources=(sources.DOCS,),
        unknown="the names of the answer (here: id and faces), what is told of an unknown person (here: 404)",
    ),
    Endpoint(
        path=f"{_PATH}/{{person_id}}/{{face_id}}",
        methods=("DELETE",),
        answer=_face,
        mark="B",
        sources=(sources.DOCS,),
        unknown="what is told of an unknown face (here: 404)",
    ),
)
