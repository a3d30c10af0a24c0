"""Which image a call is about: exactly one of the four inputs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.picture import Picture
from haulier_imagga.emulator.refusal import Refusal
from haulier_imagga.emulator.service import Service

Input = Callable[[], Picture]


def image_of(service: Service, call: Call) -> Picture:
    """The picture a call of an analysis endpoint is about; a Refusal unless exactly one is given.

    GET takes `image_url` or `image_upload_id` from the query, POST a file part `image` or a form field
    `image_base64`. With `unverified_inputs` POST takes what no source shows to work, too: the first two from
    a form, and `image_base64` from a JSON object.
    """
    # https://docs.imagga.com/ and https://github.com/henomis/imagga-go
    inputs = _references(service, call, call.values) if call.method == "GET" else _posted(service, call)
    if len(inputs) != 1:
        names = "image_url or image_upload_id" if call.method == "GET" else "image or image_base64"
        raise Refusal(400, f"exactly one image is needed as {names}, not {len(inputs)}")
    return inputs[0]()


def decode_base64(text: str) -> bytes:
    """The bytes of an `image_base64` field, lines allowed; a Refusal when it is not base64."""
    try:
        return base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(400, "image_base64 is not base64; in a urlencoded body + is sent as %2B") from error


def _posted(service: Service, call: Call) -> list[Input]:
    texts = call.form_values("image_base64")
    references: list[Input] = []
    if service.settings.unverified_inputs:
        references = _references(service, call, call.form_values)
        if call.media_type == "application/json":
            texts = [str(value) for key, value in call.json_object().items() if key == "image_base64"]
    return [
        *(_file_input(file.data) for file in call.files if file.field == "image"),
        *(_base64_input(text) for text in texts),
        *references,
    ]


def _references(service: Service, call: Call, values: Callable[[str], list[str]]) -> list[Input]:
    return [
        *(_url_input(url) for url in values("image_url")),
        *(_upload_input(service, call.user, upload_id) for upload_id in values("image_upload_id")),
    ]


def _file_input(data: bytes) -> Input:
    return lambda: Picture.from_bytes(data)


def _base64_input(text: str) -> Input:
    return lambda: Picture.from_bytes(decode_base64(text))


def _url_input(url: str) -> Input:
    return lambda: Picture.from_url(url)


def _upload_input(service: Service, user: str, upload_id: str) -> Input:
    return lambda: service.uploads.get(user, upload_id, service.clock.now())
