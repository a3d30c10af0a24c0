"""The webhook output: what goes out, what counts as taken, how it is signed, and what its settings may not say."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, BinaryIO

import pytest
from pydantic import ValidationError
from tests.made import made_request

from haulier.errors import CredentialError, OutputBusy
from haulier.io.credentials import SecretRef, credential_types, resolve_values
from haulier.io.outputs.webhook import WEBHOOK, WebhookOutput, WebhookSettings
from haulier.model.request import FilePart, Header, Request, Response

HMAC = next(kind for kind in credential_types() if kind.name == "hmac")
LINES = [b'{"id":"r:1","x":1}', b'{"id":"r:2","x":"\xc3\xa9"}']


class Recorded:
    """Doors that write down what would go out and give an answer; real ones are tested over real sockets."""

    def __init__(self, *replies: Response) -> None:
        self.sent: list[tuple[str, str, tuple[Header, ...], bytes]] = []
        self.replies = list(replies)

    def send(self, method: str, url: str, *, headers: Sequence[Header] = (), body: bytes = b"") -> Response:
        self.sent.append((method, url, tuple(headers), body))
        return self.replies.pop(0) if self.replies else Response(status=200)

    def open_read(self, path: str) -> BinaryIO:
        raise AssertionError(path)

    open_append = open_read

    def make_durable(self, file: BinaryIO) -> None:
        raise AssertionError(file)


def webhook(doors: Recorded, **settings: Any) -> WebhookOutput:
    return WebhookOutput(WebhookSettings(url="http://127.0.0.1:9000/hook", **settings), doors)


def test_a_line_alone_is_the_body_and_its_id_the_key() -> None:
    doors = Recorded()
    output = webhook(doors, headers="X-Team: data, X-Env: a:b")
    assert output.at_once == 1
    output.write(LINES[:1])
    assert doors.sent == [
        (
            "POST",
            "http://127.0.0.1:9000/hook",
            (
                ("Content-Type", "application/json"),
                ("Idempotency-Key", "r:1"),
                ("X-Team", "data"),
                ("X-Env", "a:b"),
            ),
            LINES[0],
        )
    ]


def test_a_batch_is_an_array_whatever_its_length_with_a_key_of_its_lines() -> None:
    doors = Recorded()
    output = webhook(doors, batch=2)
    assert output.at_once == 2
    output.write(LINES)
    output.write(LINES)
    output.write(LINES[:1])
    keys = [dict(headers)["Idempotency-Key"] for _, _, headers, _ in doors.sent]
    assert keys[0] == keys[1] != keys[2]
    assert [json.loads(body) for *_, body in doors.sent] == [
        [{"id": "r:1", "x": 1}, {"id": "r:2", "x": "é"}],
        [{"id": "r:1", "x": 1}, {"id": "r:2", "x": "é"}],
        [{"id": "r:1", "x": 1}],
    ]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_takes_the_lines(status: int) -> None:
    doors = Recorded(Response(status=status))
    webhook(doors).write(LINES[:1])
    assert [json.loads(body) for _, _, _, body in doors.sent] == [{"id": "r:1", "x": 1}]


@pytest.mark.parametrize("status", [301, 400, 401, 404, 409, 410, 429, 500, 503])
def test_everything_else_means_not_yet(status: int) -> None:
    with pytest.raises(OutputBusy) as caught:
        webhook(Recorded(Response(status=status, headers=(("retry-after", "7"),)))).write(LINES[:1])
    assert (str(caught.value), caught.value.wait_s) == (f"http://127.0.0.1:9000/hook answered {status}", 7)
    with pytest.raises(OutputBusy) as caught:
        webhook(Recorded(Response(status=status))).write(LINES[:1])
    assert caught.value.wait_s is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "hook"}, "is no http(s) URL"),
        ({"url": "https://user:pass@a.example/"}, "holds a user name or password"),
        ({"url": "https://a.example/{record.id}"}, "write it without expressions"),
        ({"headers": "Idempotency-Key: x"}, "is set by the webhook itself"),
        ({"headers": "Authorization: x"}, "is set by the webhook itself"),
        ({"headers": "X-A: {record.id}"}, "holds an expression"),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, "line break"),
        ({"headers": "Host: elsewhere"}, "set by the transport"),
        ({"batch": 0}, "greater than or equal to 1"),
        ({"patience_s": -1}, "greater than or equal to 0"),
        ({"secret": "x"}, "Extra inputs"),
    ],
)
def test_settings_that_do_not_hold_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WEBHOOK.settings.model_validate({"url": "http://a.example/", **settings})
    assert said in str(caught.value)
    assert "pass" not in str(caught.value).replace("password", "")


def request(body: Any) -> Request:
    return made_request("https://a.example/", "POST", body)


def test_a_signature_covers_time_and_the_very_body() -> None:
    settings = resolve_values(
        "hook", HMAC, {"secret": SecretRef("literal", "sécret")}, ("https://a.example",)
    ).settings
    ((name, value),) = HMAC.apply(request(b'{"a":"\xc3\xa9"}'), settings, 1795382995.9).headers
    assert name == "Haulier-Signature"
    at, _, signature = value.partition(",v1=")
    assert at == "t=1795382995"
    expected = hmac.new("sécret".encode(), b'1795382995.{"a":"\xc3\xa9"}', hashlib.sha256).hexdigest()
    assert signature == expected


def test_a_body_with_files_cannot_be_signed() -> None:
    settings = HMAC.settings.model_validate({"secret": "s"})
    file = FilePart(path="/x", name="x", size=1, mtime_ns=0, sha256=b"")
    with pytest.raises(CredentialError, match="cannot be signed"):
        HMAC.apply(request((b"a", file)), settings, 0.0)
