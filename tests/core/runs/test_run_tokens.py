"""Credentials that acquire tokens, over sockets: once for all, anew when they expire, once more after a 401."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from tests.core.runs.carrying import counts, destination, records, within, write_records
from tests.core.runs.wire import Answer, Asked, Wire, answer

import haulier
from haulier.errors import CredentialError
from haulier.io.credentials import ResolvedCredential
from haulier.io.transports.choose import open_transport
from haulier.model.parts import Added
from haulier.model.request import Request
from haulier.runs.credentials.acquiring import with_tokens
from haulier.runs.credentials.authority import Authority
from haulier.runs.resolving.builtins import load_registry

SECRET = "s3cret-of-the+client"


class Giver:
    """A server of tokens: T0, T1, ...; says for how long each is good."""

    def __init__(self, expires_in: Any = 3600) -> None:
        self.expires_in = expires_in
        self.given = 0
        self.lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        with self.lock:
            token = f"T{self.given}-of-many-letters"
            self.given += 1
        said = {"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in}
        return answer(200, json.dumps(said).encode())


def credential(giver: Wire, wire: Wire, **more: Any) -> dict[str, Any]:
    return {
        "type": "oauth2-client-credentials",
        "token_url": giver.url + "/token",
        "client_id": "me",
        "client_secret": SECRET,
        "origins": [wire.url, giver.url],
        **more,
    }


def send(wire: Wire, given: dict[str, Any], carried: Any = 50, **written: Any) -> haulier.Report:
    made = destination(wire.url, **written)
    carried = records(carried) if isinstance(carried, int) else carried
    return within(60, lambda: haulier.send(made, carried, state="state", credential=given))


def tokens(wire: Wire) -> list[str]:
    return [(one.header("authorization") or "").removeprefix("Bearer ").split("-")[0] for one in wire.asked]


def test_one_token_serves_all_requests_of_a_run() -> None:
    with Wire(Giver()) as giver, Wire(delay_s=0.005) as wire:
        report = send(wire, credential(giver, wire, scope="goods write"), 200)
        assert counts(report) == {"delivered": 200}
        assert set(tokens(wire)) == {"T0"}
        (asked,) = giver.asked
        assert (asked.method, asked.target) == ("POST", "/token")
        assert parse_qs(asked.body.decode()) == {
            "grant_type": ["client_credentials"],
            "scope": ["goods write"],
        }
        basic = b64decode((asked.header("authorization") or "").removeprefix("Basic ")).decode()
        assert basic == "me:s3cret-of-the%2Bclient"


def test_name_and_secret_may_go_into_the_body() -> None:
    with Wire(Giver(None)) as giver, Wire() as wire:
        assert counts(send(wire, credential(giver, wire, place="body"), 3)) == {"delivered": 3}
        assert giver.asked[0].header("authorization") is None
        assert parse_qs(giver.asked[0].body.decode())["client_secret"] == [SECRET]


def test_a_token_that_expires_is_acquired_anew_before_that() -> None:
    with Wire(Giver("1")) as giver, Wire(delay_s=0.1) as wire:
        report = send(wire, credential(giver, wire), 25, limits={"max_in_flight": 1})
        assert counts(report) == {"delivered": 25}
        lasted = wire.asked[-1].at - wire.asked[0].at
        assert 2 <= len(giver.asked) <= 2 + 2 * lasted, (
            "each served for half of the second that it was good for"
        )
        assert len(set(tokens(wire))) == len(giver.asked)


def test_after_a_401_one_more_is_acquired_for_all_and_the_run_goes_on() -> None:
    """The service forgets the first token in the middle of the run."""
    with Wire(Giver()) as giver, Wire(delay_s=0.002) as wire:
        wire.reply = lambda asked: answer(401) if asked.number >= 40 and b"T0" in asked.head else answer()
        report = send(wire, credential(giver, wire), 150, limits={"max_in_flight": 8})
        assert counts(report) == {"delivered": 150}
        assert len(giver.asked) == 2
        assert set(tokens(wire)) == {"T0", "T1"}
        assert report.attempts == len(wire.asked) <= 150 + 8
        by_key = {(one.header("idempotency-key"), one.body) for one in wire.asked}
        assert len(by_key) == 150


def test_where_the_new_one_is_not_accepted_either_the_run_stops_and_goes_on_when_it_is() -> None:
    write_records(Path("in.jsonl"), 30)
    with Wire(Giver()) as giver, Wire(lambda asked: answer(401)) as wire:
        report = send(wire, credential(giver, wire), "in.jsonl")
        assert (report.exit_code, counts(report)) == (3, {"pending": report.read})
        assert report.reason == (
            "the service answered 401: {}: it does not accept the credential that was given"
        )
        assert (len(giver.asked), len(wire.asked)) == (2, 2)
        wire.reply = lambda asked: answer()
        assert counts(send(wire, credential(giver, wire), "in.jsonl")) == {"delivered": 30}


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_record_whose_token_is_never_accepted_stops_the_run_after_one_more(attempts: int) -> None:
    """Also where all others go well with it."""
    with Wire(Giver()) as giver, Wire() as wire:
        wire.reply = lambda asked: answer(401) if json.loads(asked.body)["id"] == 2 else answer()
        retry = {"attempts": attempts, "base_s": 0.01, "cap_s": 0.01}
        report = send(wire, credential(giver, wire), 6, retry=retry, limits={"max_in_flight": 1})
        taken = {json.loads(asked.body)["id"] for asked in wire.asked} - {2}
        assert (report.exit_code, counts(report)) == (3, {"delivered": len(taken), "pending": 6 - len(taken)})
        assert report.reason == ("the service answered 401: it does not accept the credential that was given")
        of_it = [asked for asked in wire.asked if json.loads(asked.body)["id"] == 2]
        assert [b"T0" in asked.head for asked in of_it] == [True, False]


def test_a_new_token_costs_no_attempt() -> None:
    with Wire(Giver()) as giver, Wire() as wire:
        wire.reply = lambda asked: answer(401) if asked.number >= 2 and b"T0" in asked.head else answer()
        report = send(wire, credential(giver, wire), 6, retry={"attempts": 1}, limits={"max_in_flight": 1})
        assert (report.state, counts(report)) == ("finished", {"delivered": 6})
        assert sorted(json.loads(body)["id"] for body in wire.bodies) == [0, 1, 2, 2, 3, 4, 5]
        assert report.attempts == len(wire.asked)


def test_a_giver_of_tokens_that_is_down_is_a_bad_night() -> None:
    write_records(Path("in.jsonl"), 30)
    with Wire(lambda asked: answer(503)) as giver, Wire() as wire:
        report = send(wire, credential(giver, wire), "in.jsonl")
        assert (report.exit_code, counts(report)) == (3, {"pending": report.read})
        assert "no token" in report.reason
        assert (wire.asked, len(giver.asked) <= 25) == ([], True)
        giver.reply = Giver()
        assert counts(send(wire, credential(giver, wire), "in.jsonl")) == {"delivered": 30}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            answer(400, b'{"error":"invalid_client","error_description":"who?"}'),
            "answered 400: invalid_client: who?",
        ),
        (answer(200, b'{"token_type":"Bearer"}'), "no access_token in it"),
        (answer(200, b"<html>"), "no JSON"),
        (answer(302, b"", Location="http://127.0.0.1:1/"), "no JSON"),
        (answer(200, b'{"access_token":"x","token_type":"mac"}'), "no bearer token"),
    ],
)
def test_a_giver_that_gives_none_ends_the_run_with_its_words_and_nothing_is_sent(
    said: bytes, words: str
) -> None:
    with Wire(lambda asked: said) as giver, Wire() as wire:
        with pytest.raises(CredentialError, match=words):
            send(wire, credential(giver, wire), 3)
        assert (len(giver.asked), wire.asked) == (1, [])


def test_those_who_waited_for_a_token_that_is_refused_do_not_ask_again() -> None:
    kind = load_registry().credential_type("oauth2-client-credentials")

    async def three_at_once(given: ResolvedCredential, url: str) -> list[object]:
        request = Request(
            number=0, positions=range(1), method="GET", url=url, headers=(), body=b"", length=0, sha256=b""
        )
        transport = with_tokens(
            open_transport("auto", in_flight=3, timeout_s=20, origin=url),
            Authority(name="x", type=kind, credential=given),
            timeout_s=20,
        )
        try:
            sent = (transport.send(request, Added()) for _ in range(3))
            return list(await asyncio.gather(*sent, return_exceptions=True))
        finally:
            await transport.close()

    with Wire(lambda asked: answer(400), delay_s=0.2) as giver, Wire() as wire:
        values = credential(giver, wire)
        origins = tuple(values.pop("origins"))
        settings = kind.settings.model_validate({name: values[name] for name in values if name != "type"})
        given = ResolvedCredential(name="x", type=kind.name, settings=settings, origins=origins)
        told = asyncio.run(three_at_once(given, wire.url))
        assert [type(one) for one in told] == [CredentialError] * 3
        assert (len(giver.asked), wire.asked) == (1, [])


def test_a_secret_goes_only_where_it_is_bound_to() -> None:
    with Wire(Giver()) as giver, Wire() as wire:
        given = {**credential(giver, wire), "origins": [wire.url]}
        with pytest.raises(CredentialError, match="is not sent to"):
            send(wire, given, 3)
        assert giver.asked == wire.asked == []


def test_neither_secret_nor_token_shows_anywhere() -> None:
    with Wire(Giver()) as giver, Wire() as wire:
        wire.reply = lambda asked: answer(400, b"I do not like " + asked.head + SECRET.encode())
        report = send(
            wire, credential(giver, wire), 3, outputs=[{"to": "jsonl", "path": "out.jsonl", "answer": True}]
        )
        assert counts(report) == {"rejected": 3}
        kept = b"".join(path.read_bytes() for path in Path().rglob("*") if path.is_file())
        assert b"[secret]" in kept
        assert SECRET.encode() not in kept
        assert b"T0-of-many-letters" not in kept


def test_a_test_send_acquires_one_too() -> None:
    with Wire(Giver()) as giver, Wire() as wire:
        sent = haulier.test_send(destination(wire.url), records(1), credential=credential(giver, wire))
        assert (sent.status, tokens(wire)) == (200, ["T0"])
