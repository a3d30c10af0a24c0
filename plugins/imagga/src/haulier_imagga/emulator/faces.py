"""Faces drawn from a picture's hash: detections, and how alike they are."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.image_input import image_of
from haulier_imagga.emulator.options import flag
from haulier_imagga.emulator.picture import Picture
from haulier_imagga.emulator.service import Service

# Seen in public client code, address unknown, read 2026-11-22.
LEAST_FACES = 5
GROUPS = 3


def _detections(service: Service, call: Call) -> Result:
    with_id = flag(call, "return_face_id")
    flag(call, "return_face_attributes")
    picture = image_of(service, call)
    count = 1 + int(picture.fraction("faces") * 3)
    faces = [_face(picture, place, with_id=with_id) for place in range(count)]
    for face in faces:
        if with_id:
            service.faces.add(call.user, face["face_id"])
    return {"faces": sorted(faces, key=lambda face: -float(face["confidence"]))}


def _face(picture: Picture, place: int, *, with_id: bool) -> Result:
    width, height = picture.width or 1000, picture.height or 1000
    side = max(1, int(min(width, height) * (0.1 + 0.2 * picture.fraction("side", place))))
    left = int((width - side) * picture.fraction("left", place))
    top = int((height - side) * picture.fraction("top", place))
    face_id = hashlib.sha256(f"{picture.seed}|face|{place}".encode()).hexdigest()
    return {
        "confidence": 60.0 + 40.0 * picture.fraction("face", place),
        "coordinates": {
            "xmin": left,
            "ymin": top,
            "xmax": left + side,
            "ymax": top + side,
            "width": side,
            "height": side,
        },
        "face_id": face_id if with_id else "",
        "attributes": [],
        "landmarks": [],
    }


def _groupings(service: Service, call: Call) -> Result:
    body = call.json_object()
    faces = body.get("faces")
    if not isinstance(faces, list) or not all(isinstance(face, str) for face in faces):
        raise Refusal(400, "faces must be a list of face ids")
    if len(faces) < LEAST_FACES:
        raise Refusal(400, f"at least {LEAST_FACES} faces are needed, not {len(faces)}")
    for face in faces:
        require_face(service, call, face)
    check_callback(body.get("callback_url"))
    return service.started(call.user, {"groups": group(faces)})


def group(faces: list[str]) -> list[list[str]]:
    """Face ids in at most GROUPS groups, by their hashes; every id in exactly one."""
    groups: dict[int, list[str]] = {}
    for face in faces:
        groups.setdefault(hashlib.sha256(face.encode()).digest()[0] % GROUPS, []).append(face)
    return list(groups.values())


def _similarity(service: Service, call: Call) -> Result:
    pair = []
    for name in ("face_id", "second_face_id"):
        face = call.option(name)
        if not face:
            raise Refusal(400, f"{name} is missing")
        require_face(service, call, face)
        pair.append(face)
    return {"score": similarity(*pair)}


def similarity(one: str, other: str) -> float:
    """0 to 100: high for faces that `group` puts together, the same whichever comes first."""
    together = len(group([one, other])) == 1
    drawn = hashlib.sha256("|".join(sorted((one, other))).encode()).digest()[0] / 255
    return 100.0 if one == other else 70.0 + 30.0 * drawn if together else 60.0 * drawn


def require_face(service: Service, call: Call, face: str) -> None:
    """Refuse an id that was never handed out to this account."""
    if (call.user, face) not in service.faces and not service.settings.any_face_id:
        raise Refusal(400, f"there is no face {face!r}; ids come from detections with return_face_id=1")


def check_callback(url: object) -> None:
    """Refuse what is no address."""
    if url is not None and (not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https")):
        raise Refusal(400, "callback_url must be an http or https address")


ENDPOINTS = (
    Endpoint(
        path="/v2/faces/detections",
        methods=("GET", "POST"),
        answer=_detections,
        mark="A",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.AIRBYTE, sources.CLIENT_CODE),
        unknown="the contents of attributes and landmarks (here: empty lists)",
        metered=True,
    ),
    Endpoint(
        path="/v2/faces/similarity",
        methods=("GET",),
        answer=_similarity,
        mark="A",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.CLIENT_CODE),
        unknown="what an unknown face is told (here: 400)",
        metered=True,
    ),
    Endpoint(
        path="/v2/faces/groupings",
        methods=("POST",),
        answer=_groupings,
        mark="A",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.CLIENT_CODE),
        unknown=(
            "the shape of groups (here: lists of face ids), what an unknown face is told (here: 400), and "
            "how a callback is made (here: never)"
        ),
        metered=True,
    ),
)
