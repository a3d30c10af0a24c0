"""GET|POST /v2/faces/detections and POST /v2/faces/groupings: faces drawn from a picture's hash."""

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


class Faces:
    """The ids handed out, by account."""

    def __init__(self) -> None:
        self._ids: set[tuple[str, str]] = set()

    def add(self, user: str, face_id: str) -> None:
        """Make an id usable in later calls."""
        self._ids.add((user, face_id))

    def __contains__(self, user_and_id: tuple[str, str]) -> bool:
        return user_and_id in self._ids


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
    unknown = [face for face in faces if (call.user, face) not in service.faces]
    if unknown and not service.settings.any_face_id:
        raise Refusal(400, f"there is no face {unknown[0]!r}; ids come from detections with return_face_id=1")
    _check_callback(body.get("callback_url"))
    result = {"groups": group(faces)}
    return {"ticket_id": service.tickets.add(call.user, result, service.settings.polls, service.clock.now())}


def group(faces: list[str]) -> list[list[str]]:
    """Face ids in at most GROUPS groups, by their hashes; every id in exactly one."""
    groups: dict[int, list[str]] = {}
    for face in faces:
        groups.setdefault(hashlib.sha256(face.encode()).digest()[0] % GROUPS, []).append(face)
    return list(groups.values())


def _check_callback(url: object) -> None:
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
