"""The webhook output: what came of each request, POSTed to a URL until it is taken.

Everything but a 2xx means: not yet. The lines stay owed and come again, in their order, with the same bytes and the
same `Idempotency-Key`; a receiver that keeps the `id` of each line it took has every line exactly once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from hashlib import sha256

import msgspec
from pydantic import Field, field_validator

from haulier.delivery.judging import retry_after
from haulier.errors import DestinationError, OutputBusy
from haulier.model.answers import Condition
from haulier.model.headers import parse_pairs
from haulier.model.origin import shown_url
from haulier.model.parts import Doors, OutputType, Settings
from haulier.model.request import Header
from haulier.model.url import plain_url

__all__ = ["WEBHOOK", "WebhookOutput", "WebhookSettings"]

_OWN = frozenset({"authorization", "content-type", "haulier-signature", "idempotency-key", "user-agent"})


class WebhookSettings(Settings):
    """Settings of the output `webhook`."""

    url: str = Field(description="where lines are POSTed to; http(s), without expressions")
    credential: str | None = Field(
        default=None,
        description="name of a stored credential; one of type `hmac` signs each request, others are applied as usual",
    )
    headers: str | Mapping[str, str] = Field(
        default="", description="more headers, `a:1,b:2` or a mapping, without expressions"
    )
    include: list[str] = Field(
        default=[], description="attributes of the record to carry on besides those sent"
    )
    answer: bool = Field(
        default=True, description="carry the answer on: parsed body, and headers of interest"
    )
    when: Condition | None = Field(
        default=None,
        description="only lines that say so: `{at: /category, is: nsfw}`, at a JSON pointer into the line",
    )
    batch: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="lines a POST carries at most; 1: the body is the line, more: the body is an array of lines",
    )
    patience_s: float = Field(
        default=60.0,
        ge=0,
        description="seconds, after the last delivery, that a hook which takes nothing is waited for",
    )

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        try:
            return plain_url(value)
        except DestinationError as error:
            raise ValueError(str(error).removeprefix("url: ")) from None

    @field_validator("headers")
    @classmethod
    def _constant(cls, value: str | Mapping[str, str]) -> str | Mapping[str, str]:
        try:
            _headers(value)
        except DestinationError as error:
            raise ValueError(str(error).removeprefix("headers: ")) from None
        return value


class WebhookOutput:
    """POSTs lines, one body at a time; nothing is kept here."""

    def __init__(self, settings: WebhookSettings, doors: Doors) -> None:
        self.at_once = settings.batch
        self.patience_s = settings.patience_s
        self._doors = doors
        self._url = settings.url
        self._headers = _headers(settings.headers)

    def write(self, lines: Sequence[bytes]) -> None:
        """POST the lines; OutputBusy where the hook did not take them."""
        body = lines[0] if self.at_once == 1 else b"[" + b",".join(lines) + b"]"
        response = self._doors.send("POST", self._url, headers=self._head(lines), body=body)
        if not 200 <= response.status < 300:
            raise OutputBusy(
                f"{shown_url(self._url)} answered {response.status}", wait_s=retry_after(response, time.time)
            )

    def close(self) -> None:
        """Nothing is held."""

    def _head(self, lines: Sequence[bytes]) -> tuple[Header, ...]:
        ids = [_decode(line).id for line in lines]
        key = ids[0] if self.at_once == 1 else sha256("\n".join(ids).encode()).hexdigest()[:32]
        return (("Content-Type", "application/json"), ("Idempotency-Key", key), *self._headers)


class _Line(msgspec.Struct):
    id: str


_decode = msgspec.json.Decoder(_Line).decode


def _headers(written: str | Mapping[str, str]) -> tuple[Header, ...]:
    found = []
    for header in parse_pairs(written):
        if header.name.lower() in _OWN:
            raise DestinationError(f"headers: {header.name} is set by the webhook itself; leave it out")
        if not all(isinstance(part, str) for part in header.expression.parts):
            raise DestinationError(f"headers: {header.name} holds an expression; no record fills it here")
        found.append((header.name, "".join(map(str, header.expression.parts))))
    return tuple(found)


WEBHOOK = OutputType(
    name="webhook",
    title="Webhook",
    description="POSTs what came of each request to a URL, as JSON, again and again until it is taken.",
    settings=WebhookSettings,
    factory=WebhookOutput,
)
