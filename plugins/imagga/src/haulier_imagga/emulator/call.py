"""One call of the service as the endpoints see it: parameters, files and JSON, already taken apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from haulier_imagga.emulator.refusal import Refusal

MAX_PART_BYTES = 64 * 1024 * 1024
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class File:
    """A file part: the form field's name and the bytes."""

    field: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """A signed-in call. `query` and `form` hold (name, value) in the order sent."""

    method: str
    path_values: dict[str, str]
    query: tuple[tuple[str, str], ...]
    form: tuple[tuple[str, str], ...]
    files: tuple[File, ...]
    media_type: str
    body: bytes
    user: str

    def values(self, name: str) -> list[str]:
        """Every value sent under that name in the query."""
        return [value for key, value in self.query if key == name]

    def form_values(self, name: str) -> list[str]:
        """Every text sent under that name in a form body."""
        return [value for key, value in self.form if key == name]

    def option(self, name: str) -> str | None:
        """An option's value, from the query or a form body; None when it was not sent."""
        # https://docs.imagga.com/ lists options in the query, also on POST; in a form: seen in public client
        # code, address unknown, read 2026-11-22.
        return next(iter([*self.values(name), *self.form_values(name)]), None)

    def json_object(self) -> dict[str, Any]:
        """The JSON object the body is; a Refusal when it is none."""
        if self.media_type != "application/json":
            raise Refusal(400, f"the body must be application/json, not {self.media_type!r}")
        try:
            decoded = json.loads(self.body)
        except ValueError as error:
            raise Refusal(400, "the body is not JSON") from error
        if not isinstance(decoded, dict):
            raise Refusal(400, "the body must be a JSON object")
        return decoded


async def read_call(request: Request) -> Call:
    """The call a request makes; a form that cannot be taken apart is refused by Starlette with a 400."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    form: list[tuple[str, str]] = []
    files: list[File] = []
    body = await request.body()
    if request.method == "POST" and media_type in FORMS:
        async with request.form(max_part_size=MAX_PART_BYTES) as parts:
            for name, value in parts.multi_items():
                if isinstance(value, UploadFile):
                    files.append(File(name, await value.read()))
                else:
                    form.append((name, value))
    return Call(
        method=request.method,
        path_values=dict(request.path_params),
        query=tuple(request.query_params.multi_items()),
        form=tuple(form),
        files=tuple(files),
        media_type=media_type,
        body=body,
        user=request.scope["user"],
    )
