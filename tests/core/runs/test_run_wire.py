"""Preview is the wire: method, target, headers and body of a sample are the bytes that a server reads."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, records, rows, within
from tests.core.runs.wire import Answer, Asked, Stall, Wire, answer

import haulier
from haulier.errors import ConfigurationError, CredentialError
from haulier.model.request import FilePart
from haulier.runs.previews.curl import curl_command
from haulier.runs.previews.marking import Marks
from haulier.runs.previews.sample_files import save_bodies

CODE = """
def build(records, context):
    if len(records) < 3:
        return (b"id " + str(records[0]["id"]).encode(), "text/plain")
    return [
        Payload({"texts": [record["text"] for record in records[1:]]}, records=[1, 2]),
        Payload(records[0], records=[0]),
    ]
"""
FILLED = "[{% for one in records %}{{ one.text }}{% if not loop.last %}, {% endif %}{% endfor %}]"
DESTINATIONS: dict[str, dict[str, Any]] = {
    "one by one": {},
    "a batch": {"batching": {"size": 3}},
    "a batch in a property": {
        "batching": {
            "size": 3,
            "grouping": {"name": "property", "property_name": "items", "other_props": {"a": 1}},
        }
    },
    "one left out": {"exclude": ["text"], "batching": {"size": 2}},
    "GET": {"request": {"method": "GET"}},
    "DELETE": {"request": {"method": "DELETE"}, "target": "/x/{record.id}"},
    "PUT with headers": {"request": {"method": "PUT", "headers": "x-one:{record.id},x-two:2"}},
    "form": {"request": {"content_format": "form"}},
    "multipart": {"request": {"content_format": "multipart"}},
    "multipart with a JSON part": {
        "request": {"content_format": "multipart"},
        "format_settings": {"json_part": "record"},
    },
    "ndjson, lines": {
        "request": {"content_format": "ndjson"},
        "batching": {"size": 2, "grouping": "lines"},
    },
    "chosen attributes of each": {"batching": {"size": 2, "item": ["id", "text"]}},
    "one attribute of each": {"batching": {"size": 2, "item": "text"}},
    "nested attributes of each": {
        "add": {"meta.tag": ["x"], "meta.at": "{record.id}"},
        "batching": {"size": 2, "item": ["meta.at", "text"]},
    },
    "by group": {"batching": {"size": 2, "group_by": ["file"]}},
    "by bytes": {"batching": {"max_bytes": 200}},
    "by code": {"batching": {"size": 3, "grouping": {"name": "code", "code": CODE}}},
    "by code, compressed": {
        "compress": "gzip",
        "batching": {"grouping": {"name": "code", "code": CODE}, "size": 3},
    },
    "by template": {"batching": {"size": 2, "grouping": {"name": "template", "template": FILLED}}},
    "ndjson, a record": {"request": {"content_format": "ndjson"}},
    "ndjson, a batch": {"request": {"content_format": "ndjson"}, "batching": {"size": 2}},
    "csv, a record": {"request": {"content_format": "csv"}},
    "csv, a batch": {"request": {"content_format": "csv"}, "batching": {"size": 3}},
    "xml, a record": {"request": {"content_format": "xml"}},
    "xml, a batch": {"request": {"content_format": "xml"}, "batching": {"size": 3}},
    "xml, a batch in a property": {
        "request": {"content_format": "xml"},
        "batching": {"size": 3, "grouping": {"name": "property", "property_name": "rows"}},
    },
    "text, a record": {
        "request": {"content_format": "text"},
        "format_settings": {"template": "{record.id} {record.text}"},
    },
    "text, a batch": {
        "request": {"content_format": "text"},
        "batching": {"size": 2},
        "format_settings": {"template": '{{"t": {record.text}}}', "escape": "json"},
    },
    "text with the time": {
        "request": {"content_format": "text"},
        "format_settings": {"template": "{now} {run.id} {record.text}"},
    },
    "bytes": {"request": {"content_format": "bytes"}, "format_settings": {"attribute": "text"}},
    "a file as the body": {
        "files_root": "pictures",
        "request": {"content_format": "bytes", "attributes": "none", "files": {"image": "{record.file}"}},
    },
    "a media type with quotes": {
        "request": {"content_format": "xml"},
        "format_settings": {"media_type": 'application/soap+xml; charset=utf-8; action="urn:x \\"y\\"; z=1"'},
    },
    "compressed": {"compress": "gzip", "batching": {"size": 2}},
    "compressed CSV": {
        "compress": "gzip",
        "request": {"content_format": "csv"},
        "batching": {"size": 2},
    },
    "attributes changed": {
        "types": {"id": "text"},
        "rename": {"text": "title"},
        "exclude": ["file"],
        "add": {"meta.source": ["catalog"]},
        "batching": {"size": 2},
    },
    "files": {
        "files_root": "pictures",
        "request": {"content_format": "multipart", "attributes": "none", "files": {"image": "{record.file}"}},
    },
    "body values": {"request": {"body": {"more": "{record.text}", "n": 1, "at": "{now}"}}},
    "odd target": {"target": "/a/{record.text}/b?q={record.text}&r=%26"},
    "no key": {"request": {"idempotency_key": False}},
}
CARRIED = [
    {"id": number, "text": text, "file": f"{number % 2}.png"}
    for number, text in enumerate(["plain", "a b&c=d/e?f#g%h+i", "ü€😀", '"quoted"', "x" * 300])
]


@pytest.mark.parametrize("transport", ["http1", "httpx"])
@pytest.mark.parametrize("kind", DESTINATIONS)
def test_what_preview_shows_is_what_goes_out(kind: str, transport: str, folder: Path) -> None:
    (folder / "pictures").mkdir()
    for number in range(2):
        (folder / "pictures" / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes([number]) * 5000)
    with Wire() as wire:
        made = destination(wire.url, limits={"max_in_flight": 1}, transport=transport, **DESTINATIONS[kind])
        shown = haulier.preview(made, CARRIED, n=100).samples
        report = within(60, lambda: haulier.send(made, CARRIED, state="state"))
        assert counts(report) == {"delivered": 5}
        assert len(wire.asked) == len(shown)
        stored = rows(Path("state"), "select sha256 from request order by id")
        for sample, asked, (digest,) in zip(shown, wire.asked, stored, strict=True):
            varies = {text.split()[-1] for text in sample.varies}
            assert _head(asked, varies) == _shown_head(sample, varies)
            if "{run.id}" in varies:  # {now} is in the body: only its length is the same
                assert len(asked.body) == sample.length
                continue
            body = b"".join(
                Path(part.path).read_bytes() if isinstance(part, FilePart) else part
                for part in _parts(sample)
            )
            assert asked.body == body
            assert sample.sha256 == digest.hex()
            if isinstance(
                sample.body, bytes
            ):  # with files it is made of their hashes, which are known before
                assert sha256(asked.body).hexdigest() == sample.sha256


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("kind", DESTINATIONS)
def test_the_curl_command_of_a_sample_sends_the_same(kind: str, folder: Path) -> None:
    """curl orders the headers its own way; all else is what the sample says."""
    (folder / "pictures").mkdir()
    for number in range(2):
        (folder / "pictures" / f"{number}.png").write_bytes(os.urandom(5000))
    with Wire() as wire:
        shown = haulier.preview(destination(wire.url, **DESTINATIONS[kind]), CARRIED, n=100).samples
        files = save_bodies(shown, folder / "bodies")
        for sample in shown:
            command = curl_command(sample, Marks(), files.get(sample.number))
            command = command.replace("curl --http1.1", "curl --silent --show-error --noproxy '*' --http1.1")
            subprocess.run(["sh", "-eu", "-c", command], check=True, capture_output=True, timeout=30)
        assert len(wire.asked) == len(shown) > 0
        for sample, asked in zip(shown, wire.asked, strict=True):
            first, *lines = _shown_head(sample, set())
            found, *others = _head(asked, set())
            assert (found, sorted(others)) == (first, sorted(lines))
            wanted = b"".join(
                Path(part.path).read_bytes() if isinstance(part, FilePart) else part
                for part in _parts(sample)
            )
            assert asked.body == wanted


def _parts(sample: haulier.Sample) -> Any:
    return (sample.body,) if isinstance(sample.body, bytes) else sample.body


def _head(asked: Asked, varies: set[str]) -> list[str]:
    first, *lines = asked.head.decode("latin-1").split("\r\n")
    return [first, *(line for line in lines if line.split(":")[0] not in varies)]


def _shown_head(sample: haulier.Sample, varies: set[str]) -> list[str]:
    lines = [f"{name}: {value}" for name, value in sample.headers if name not in varies]
    return [f"{sample.method} {sample.target} HTTP/1.1", *lines]


@pytest.mark.parametrize("transport", ["http1", "httpx"])
@pytest.mark.parametrize(
    "media_type",
    ["text/plain\r\nX-Other: 1", 'text/plain; a="\r\n\r\nGET / HTTP/1.1"', 'text/x; a="\x00"', "ä/b"],
)
def test_no_media_type_reaches_the_wire_that_could_end_its_header(
    media_type: str, transport: str, folder: Path
) -> None:
    """Where code names it, each batch decides; the others go on, and the server reads no header more."""
    code = (
        "def build(records, context):\n"
        f"    return (b'x', {media_type!r} if records[0]['id'] else 'text/plain; a=\"b\"')"
    )
    with Wire() as wire:
        made = destination(
            wire.url, transport=transport, batching={"size": 1, "grouping": {"name": "code", "code": code}}
        )
        report = within(60, lambda: haulier.send(made, CARRIED[:2], state="state"))
        assert counts(report) == {"delivered": 1, "rejected": 1}
        (asked,) = wire.asked
        assert (asked.header("content-type"), asked.body) == ('text/plain; a="b"', b"x")
        assert [name.lower() for name, _ in asked.headers].count("x-other") == 0
        ((reason,),) = rows(Path("state"), "select reason from record")
        assert "the media type of a payload is " in reason
        with pytest.raises(
            ConfigurationError, match="is no media type; write one such as `application/json`"
        ):
            haulier.preview(destination(wire.url, format_settings={"media_type": media_type}), CARRIED)


def test_a_key_differs_from_run_to_run_and_nothing_else_does() -> None:
    with Wire() as wire:
        for key in ("a", "b"):
            haulier.send(destination(wire.url), records(1), state="state", run_key=key)
        first, second = wire.asked
        assert first.header("idempotency-key") != second.header("idempotency-key")
        assert _head(first, {"Idempotency-Key"}) == _head(second, {"Idempotency-Key"})


# -- credentials -----------------------------------------------------------------------------------------------------

SECRET = "s3cr3t-\u00fc/+=&value"
CREDENTIALS: dict[str, tuple[dict[str, Any], str]] = {
    "bearer": ({"type": "bearer", "token": "t0ken-of-mine"}, "t0ken-of-mine"),
    "basic": ({"type": "basic", "username": "me", "password": "passw0rd-of-mine"}, "passw0rd-of-mine"),
    "header": ({"type": "api-key", "value": "k3y-of-mine", "name": "X-Key"}, "k3y-of-mine"),
    "query": ({"type": "api-key", "value": "k3y-of-mine", "name": "key", "place": "query"}, "k3y-of-mine"),
}


def _traces(folder: Path, secret: str) -> list[str]:
    """Files in which a secret stands, as it is or in base64."""
    forms = {secret.encode(), base64.b64encode(secret.encode()), base64.b64encode(f"me:{secret}".encode())}
    found = [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms)
    ]
    return [path.name for path in found]


@pytest.mark.parametrize("kind", CREDENTIALS)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 503])
def test_a_secret_that_a_service_sends_back_stands_nowhere(kind: str, status: int, folder: Path) -> None:
    """In no row of the ledger, no output, no report and no error."""
    credential, secret = CREDENTIALS[kind]

    def echo(asked: Asked) -> bytes:
        told = json.dumps({"target": asked.target, "auth": asked.headers}).encode()
        return answer(200 if asked.number == 0 and status == 400 else status, told)

    told: list[haulier.Delivered] = []
    with Wire(echo) as wire:
        made = destination(wire.url, outputs=[{"to": "jsonl", "path": "out.jsonl"}])
        report = within(
            60,
            lambda: haulier.send(
                made, records(3), state="state", credential=credential, on_delivery=told.append
            ),
        )
        assert any(secret in str(asked.headers) + asked.target for asked in wire.asked) or kind == "basic"
    assert secret not in repr(report)
    assert all(secret not in one.reason for one in told)
    assert _traces(folder, secret) == []


def test_a_stored_credential_goes_only_where_it_is_bound_to() -> None:
    with Wire() as wire, Wire() as other:
        credential = {"type": "bearer", "token": "t0ken-of-mine", "origins": [other.url]}
        with pytest.raises(CredentialError) as refused:
            haulier.send(destination(wire.url), records(1), state="state", credential=credential)
        assert "t0ken-of-mine" not in str(refused.value)
        assert wire.url in str(refused.value)
        assert wire.asked == []
        assert counts(
            haulier.send(destination(other.url), records(1), state="state", credential=credential)
        ) == {"delivered": 1}


@pytest.mark.parametrize(
    ("credential", "word"),
    [
        ("nobody", "nobody"),
        ({"type": "bearer"}, "token"),
        ({"type": "bearre", "token": "t0ken-of-mine"}, "bearer"),
        ({"type": "bearer", "token": "t0ken-of-mine", "colour": "red"}, "colour"),
        ({"type": "bearer", "token": "t0ken-of-mine", "origins": ["not an origin"]}, "origin"),
    ],
)
def test_a_credential_that_does_not_hold_is_named_before_anything_is_sent(credential: Any, word: str) -> None:
    with Wire() as wire:
        with pytest.raises(haulier.ConfigurationError, match=word) as refused:
            haulier.send(destination(wire.url), records(1), state="state", credential=credential)
        assert "t0ken-of-mine" not in str(refused.value)
        assert wire.asked == []


# -- params, limits of addresses, other loops ------------------------------------------------------------------------


def test_a_param_fills_its_place_and_a_missing_one_is_named() -> None:
    with Wire() as wire:
        made = destination(wire.url, target="/{param.shelf}", request={"body": {"n": "{param.n}"}})
        with pytest.raises(haulier.ConfigurationError, match=r"param"):
            haulier.send(made, records(1), state="state")
        haulier.send(made, records(1), state="state", params={"shelf": "a b", "n": "7"})
        assert wire.asked[0].target == "/a%20b"
        assert json.loads(wire.asked[0].body) == {"id": 0, "n": "7"}


@pytest.mark.parametrize("value", ["", ".", "..", "a/../b", "%2e%2e", "a\\b", "a\nb"])
def test_a_record_cannot_steer_out_of_its_path(value: str) -> None:
    with Wire() as wire:
        made = destination(wire.url, target="/uploads/{record.name}")
        carried = [{"name": "good"}, {"name": value}, {"name": "fine"}]
        report = haulier.send(made, carried, state="state")
        targets = {asked.target for asked in wire.asked}
        assert {"/uploads/good", "/uploads/fine"} <= targets
        assert all(target.startswith("/uploads/") and ".." not in target.split("/") for target in targets)
        if value in ("", ".", "..", "a\\b", "a\nb"):
            assert counts(report) == {"delivered": 2, "rejected": 1}


def test_a_very_long_target_stops_nobody_else() -> None:
    with Wire() as wire:
        made = {"name": "d", "request": {"method": "GET", "url": wire.url}}
        report = within(
            60, lambda: haulier.send(made, [{"a": 1}, {"a": "x" * 100_000}, {"a": 3}], state="state")
        )
        assert counts(report) == {"delivered": 3}


def test_headers_of_any_language_are_refused_or_sent_and_stop_nobody_else() -> None:
    with Wire() as wire:
        made = destination(wire.url, request={"headers": "x-name:{record.name}"})
        carried = [
            {"name": name} for name in ("plain", "caf\u00e9", "\u65e5\u672c", "a\r\nX-Evil: 1", "tab\there")
        ]
        report = within(60, lambda: haulier.send(made, carried, state="state"))
        assert report.state == "finished"
        assert sum(counts(report).values()) == 5
        assert all(asked.header("x-evil") is None for asked in wire.asked)


def test_send_works_inside_a_running_loop_and_asend_on_it() -> None:
    import asyncio

    async def main(wire: Wire) -> tuple[haulier.Report, haulier.Report, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.create_task(tick())
        inside = haulier.send(destination(wire.url), records(3), state="one")
        ticks = 0
        beside = await haulier.asend(destination(wire.url), records(20), state="two")
        ticking.cancel()
        return inside, beside, ticks

    with Wire(delay_s=0.02) as wire:
        inside, beside, ticks = asyncio.run(main(wire))
    assert (counts(inside), counts(beside)) == ({"delivered": 3}, {"delivered": 20})
    assert ticks > 5


def test_a_cancelled_asend_stops_at_once_and_can_be_resumed() -> None:
    import asyncio

    Path("in.jsonl").write_text("".join(f'{{"id":{number}}}\n' for number in range(50)))

    async def main(wire: Wire) -> float:
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(haulier.asend(destination(wire.url), "in.jsonl", state="state"))
        assert await asyncio.to_thread(unanswered.wait, 60)
        began = loop.time()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        return loop.time() - began

    def falls_silent(asked: Asked) -> Answer:
        if asked.number < 5:
            return answer()
        unanswered.set()
        return Stall(90)

    unanswered = threading.Event()
    with Wire(falls_silent) as wire:
        assert within(60, lambda: asyncio.run(main(wire))) < 20
        wire.reply = lambda asked: answer()
        report = within(60, lambda: haulier.send(destination(wire.url), "in.jsonl", state="state"))
        assert counts(report) == {"delivered": 50}
        bodies: dict[str | None, set[bytes]] = {}
        for asked in wire.asked:
            bodies.setdefault(asked.header("idempotency-key"), set()).add(asked.body)
        assert len(bodies) == 50
        assert all(len(found) == 1 for found in bodies.values())
