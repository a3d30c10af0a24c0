"""POST /v2/uploads and DELETE /v2/uploads/{upload_id}, and the pictures kept in between."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.image_input import decode_base64
from haulier_imagga.emulator.picture import Picture
from haulier_imagga.emulator.service import Service

# https://docs.imagga.com/ and https://github.com/mb243/imagga-tool
LIFETIME_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class _Upload:
    user: str
    picture: Picture
    expires_at: float


class Uploads:
    """Uploaded pictures by id (hash and size, not bytes), each usable for LIFETIME_S by its account."""

    def __init__(self) -> None:
        self._uploads: dict[str, _Upload] = {}
        self._deleted: dict[str, str] = {}

    def add(self, user: str, picture: Picture, now: float) -> str:
        """Keep a picture and return its new id."""
        # The beginning and the length are those of ids in public fixtures.
        upload_id = f"i05e{secrets.token_hex(14)}"
        self._uploads[upload_id] = _Upload(user, picture, now + LIFETIME_S)
        return upload_id

    def get(self, user: str, upload_id: str, now: float) -> Picture:
        """The picture of an id; a Refusal with 410 once it expired or was deleted, 404 when it never was."""
        upload = self._uploads.get(upload_id)
        if self._deleted.get(upload_id) == user:
            raise Refusal(410, f"upload {upload_id!r} was deleted")
        if upload is None or upload.user != user:
            raise Refusal(404, f"there is no upload {upload_id!r}")
        if now >= upload.expires_at:
            raise Refusal(410, f"upload {upload_id!r} has expired")
        return upload.picture

    def delete(self, user: str, upload_id: str, now: float) -> None:
        """Forget a picture; refused as `get` refuses."""
        self.get(user, upload_id, now)
        del self._uploads[upload_id]
        self._deleted[upload_id] = user


def _upload(service: Service, call: Call) -> Result:
    # https://bitbucket.org/imaggateam/workspace/snippets/LL6dd names the field as the file, so any name does.
    given = [file.data for file in call.files]
    given += [decode_base64(text) for text in call.form_values("image_base64")]
    if len(given) != 1:
        raise Refusal(400, f"exactly one image is needed as image or image_base64, not {len(given)}")
    return {"upload_id": service.uploads.add(call.user, Picture.from_bytes(given[0]), service.clock.now())}


def _delete(service: Service, call: Call) -> None:
    service.uploads.delete(call.user, call.path_values["upload_id"], service.clock.now())


ENDPOINTS = (
    Endpoint(
        path="/v2/uploads",
        methods=("POST",),
        answer=_upload,
        mark="A",
        sources=(
            sources.DOCS,
            sources.GO_CLIENT,
            sources.PIPEDREAM,
            sources.DIRECTUS,
            sources.IMAGGA_SNIPPET,
        ),
        unknown="whether uploads count against the monthly limit (here: no), and the largest file taken",
    ),
    Endpoint(
        path="/v2/uploads/{upload_id}",
        methods=("DELETE",),
        answer=_delete,
        mark="B",
        sources=(sources.DIRECTUS, sources.GO_CLIENT, sources.IMAGGA_TOOL),
        unknown="what an id answers that is unknown (here: 404), or expired or already deleted (here: 410)",
    ),
)
