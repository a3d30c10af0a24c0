"""POST /v2/uploads and DELETE /v2/uploads/{upload_id}."""

from __future__ import annotations

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.image_input import decode_base64
from haulier_imagga.emulator.picture import Picture
from haulier_imagga.emulator.service import Service


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
