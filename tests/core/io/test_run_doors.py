"""The doors of an output: one exchange at a time, a credential that goes to its own origin only, and an end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.core.runs.wire import Stall, Wire, answer
from tests.ports import free_port

from haulier.errors import ConfigurationError, CredentialError, DestinationError, TransportError
from haulier.io.credentials import SecretRef, credential_types, resolve_values
from haulier.io.doors import FolderDoors, RunDoors, plain_url
from haulier.io.readers import SourceDoors
from haulier.model.request import Request, Response

T = TypeVar("T")
BEARER = next(kind for kind in credential_types() if kind.name == "bearer")


def with_doors(
    work: Callable[[RunDoors], T],
    *,
    origin: str | None = None,
    close_when: Callable[[], object] = lambda: False,
) -> T:
    """Do `work` in a thread, as outputs do theirs; origin: what a credential is bound to.

    The doors are closed when it is done, or when something holds.
    """

    async def whole() -> T:
        more: dict[str, Any] = {}
        if origin is not None:
            credential = resolve_values("hook", BEARER, {"token": SecretRef("literal", "t-123")}, (origin,))
            more = {
                "credential": credential,
                "authorize": lambda request: BEARER.apply(request, credential.settings, 0.0),
            }
        doors = RunDoors(Path(), **more)
        working = asyncio.create_task(asyncio.to_thread(work, doors))
        while not working.done() and not close_when():
            await asyncio.wait([working], timeout=0.01)
        await doors.close()
        return await working

    return asyncio.run(whole())


def test_what_is_sent_is_what_was_said_and_the_answer_comes_whole() -> None:
    with Wire(lambda asked: answer(302, b"elsewhere", Location="/y")) as wire:
        host, url = f"127.0.0.1:{wire.port}", wire.url + "/a%20b?x=1&y"
        got = with_doors(lambda doors: doors.send("PUT", url, headers=(("X-A", "1"),), body=b"\x00\xff"))
    assert (got.status, got.body, got.header("location")) == (302, b"elsewhere", "/y")
    assert wire.asked[0].head.decode().split("\r\n") == [
        "PUT /a%20b?x=1&y HTTP/1.1",
        f"Host: {host}",
        "User-Agent: haulier",
        "X-A: 1",
        "Content-Length: 2",
    ]
    assert wire.bodies == [b"\x00\xff"]


def test_one_connection_is_kept_between_requests() -> None:
    with Wire() as wire:
        with_doors(lambda doors: [doors.send("POST", wire.url, body=b"{}") for _ in range(3)])
    assert (len(wire.asked), wire.connections) == (3, 1)


def test_a_credential_is_added_for_the_origin_it_is_bound_to_and_for_no_other() -> None:
    with Wire() as wire, Wire() as other:
        with_doors(lambda doors: doors.send("POST", wire.url + "/x"), origin=wire.url)
        assert wire.asked[0].header("authorization") == "Bearer t-123"
        with pytest.raises(CredentialError, match=r"`hook` is bound to .* and is not sent to") as caught:
            with_doors(lambda doors: doors.send("POST", other.url), origin=wire.url)
        assert "t-123" not in str(caught.value)
        assert other.asked == []


def test_nobody_there_is_a_transport_error() -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(TransportError) as caught:
        with_doors(lambda doors: doors.send("POST", gone))
    assert caught.value.sent == "no"


def test_closing_breaks_off_what_is_under_way_and_nothing_is_sent_after_it() -> None:
    began = time.monotonic()
    kept: list[RunDoors] = []

    def work(doors: RunDoors) -> Response:
        kept.append(doors)
        return doors.send("POST", wire.url)

    with Wire(lambda asked: Stall(30)) as wire:
        with pytest.raises(TransportError, match="the run ended meanwhile"):
            with_doors(work, close_when=lambda: wire.asked)
        assert time.monotonic() - began < 20
        with pytest.raises(TransportError, match="the run has ended"):
            kept[0].send("POST", wire.url)
        assert len(wire.asked) == 1


def test_headers_and_addresses_cannot_smuggle_anything_in() -> None:
    for bad in ("a\r\nX-B: 1", "\u2028", "\0"):
        with pytest.raises(ConfigurationError, match="the header X-A cannot be sent"):
            with_doors(
                lambda doors, bad=bad: doors.send("POST", "http://a.example/", headers=(("X-A", bad),))
            )
    for url in ("http://user@a.example/", "ftp://a.example/", "http://a.example/../x", "http://a.example/ x"):
        with pytest.raises(DestinationError):
            with_doors(lambda doors, url=url: doors.send("POST", url))


def test_an_address_is_written_in_one_way_and_without_expressions() -> None:
    assert plain_url("HTTP://A.example:80/x/%7ey?q=a%20b&c&d=") == "http://a.example/x/%7Ey?q=a%20b&c&d="
    assert plain_url("https://a.example") == "https://a.example/"
    for text in ("https://a.example/{record.id}", "https://a.example/?x={now}"):
        with pytest.raises(DestinationError, match="write it without expressions"):
            plain_url(text)


def test_doors_to_files_send_nothing(tmp_path: Path) -> None:
    for doors in (FolderDoors(tmp_path), SourceDoors("in.jsonl")):
        with pytest.raises(ConfigurationError, match=r"POST http://a\.example/: "):
            doors.send("POST", "http://a.example/")


def test_a_request_has_its_true_hash_and_length() -> None:
    seen: list[Request] = []

    async def whole() -> None:
        doors = RunDoors(
            Path(), authorize=lambda request: seen.append(request) or BEARER.apply(request, SETTINGS, 0)
        )
        await asyncio.to_thread(doors.send, "POST", wire.url, body=b"abc")
        await doors.close()

    with Wire() as wire:
        asyncio.run(whole())
    assert (seen[0].length, seen[0].sha256.hex()[:8]) == (3, "ba7816bf")


SETTINGS = BEARER.settings.model_validate({"token": "t-123"})
