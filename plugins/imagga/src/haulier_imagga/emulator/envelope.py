"""The shape of every answer: a status object, and beside it the result of a success."""

from __future__ import annotations

import json

from starlette.responses import Response

from haulier_imagga.emulator.refusal import Result

# A recorded answer: seen in public client code, address unknown, read 2026-11-22.
MEDIA_TYPE = "application/json; charset=utf-8"


def success(result: Result | None) -> Response:
    """`result` beside a status of success; without the key where there is none."""
    # https://docs.imagga.com/ and https://github.com/henomis/imagga-go
    envelope = {"result": result} if result is not None else {}
    return _json({**envelope, "status": {"text": "", "type": "success"}}, 200)


def refusal(status: int, text: str) -> Response:
    """A status of error with the reason, and no result."""
    # A recorded 400 (seen in public client code, address unknown, read 2026-11-22) and
    # https://github.com/gbicou/directus-extension-imagga
    return _json({"status": {"text": text, "type": "error"}}, status)


def _json(value: object, status: int) -> Response:
    return Response(json.dumps(value, ensure_ascii=False).encode(), status, media_type=MEDIA_TYPE)
