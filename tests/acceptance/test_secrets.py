"""A secret shows nowhere: everything a run printed and wrote is searched for it, in every form it could take."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from tests.acceptance.support import QUICK, Project, RecordingServer, Reply, Seen, png

import haulier
from haulier_imagga.emulator import Fault, ImaggaEmulator, serve

# Characters that escapes and JSON write differently, so that each form is another text.
KEY = "acc_9f/8+7&6\"5é'"[:12]
SECRET = "s3cr3t/9d+41&b7%0c~e2=f6"


def forms_of(secret: str) -> dict[str, bytes]:
    """The ways a secret could be written down."""
    raw = secret.encode()
    found = {
        "raw": raw,
        "percent-encoded": quote(secret, safe="").encode(),
        "percent-encoded, small": quote(secret, safe="").lower().encode(),
        "form-encoded": quote_plus(secret).encode(),
        "in JSON": json.dumps(secret)[1:-1].encode(),
        "hexadecimal": raw.hex().encode(),
        "reversed": raw[::-1],
    }
    # Base64 of a text that holds the secret at any of the three offsets: what does not depend on its neighbours.
    for offset in range(3):
        padded = base64.b64encode(b"\0" * offset + raw)
        # The first group mixes with what stands before, the last with what follows.
        inner = padded[4 if offset else 0 : len(padded) - 4]
        found[f"base64 at offset {offset}"] = inner
        found[f"URL-safe base64 at offset {offset}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
    return found


def texts_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """A file's bytes, what it holds unpacked, and each value of a database."""
    content = path.read_bytes()
    yield str(path), content
    if content[:2] == b"\x1f\x8b":
        yield f"{path} unpacked", gzip.decompress(content)
    if content[:16] == b"SQLite format 3\0":
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            tables = [row[0] for row in db.execute("select name from sqlite_master where type = 'table'")]
            for table in tables:
                for row in db.execute(f'select * from "{table}"'):
                    for value in row:
                        yield from values_of(f"{path} table {table}", value)


def values_of(place: str, value: object) -> Iterator[tuple[str, bytes]]:
    """A value of a database as bytes, and unpacked where it is compressed."""
    content = value if isinstance(value, bytes) else str(value).encode()
    yield place, content
    if not isinstance(value, bytes):
        return
    for name, bits in (("zlib", 15), ("gzip", 31), ("deflate", -15)):
        try:
            yield f"{place} unpacked as {name}", zlib.decompress(value, bits)
        except zlib.error:
            continue


def search(places: dict[str, bytes], secrets: dict[str, str]) -> list[str]:
    """Where which secret stands, in which form."""
    wanted = {
        f"{name} {form}": text for name, secret in secrets.items() for form, text in forms_of(secret).items()
    }
    return [
        f"{what} in {place}"
        for place, content in places.items()
        for what, text in wanted.items()
        if text in content
    ]


def everything(root: Path, said: dict[str, str]) -> dict[str, bytes]:
    """All that stands below a folder but the credential store itself, and all that was printed."""
    places = {f"printed by {command}": text.encode() for command, text in said.items()}
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.name != "credentials.json":
            places |= dict(texts_of(path))
    return places


def test_the_search_finds_each_form(tmp_path: Path) -> None:
    """The search itself is tested: a secret hidden in any of these ways is found."""
    pair = f"{KEY}:{SECRET}"
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"x" + SECRET.encode()))
    (tmp_path / "b.txt").write_bytes(base64.b64encode(pair.encode()))
    (tmp_path / "c.txt").write_text(f"https://h/?key={quote(SECRET, safe='')}")
    with sqlite3.connect(tmp_path / "d.db") as db:
        db.execute("create table t (a blob)")
        db.execute("insert into t values (?)", (zlib.compress(SECRET.encode()),))
    db.close()
    found = search(everything(tmp_path, {"x": json.dumps(SECRET)}), {"secret": SECRET})
    for name in ("a.jsonl.gz", "b.txt", "c.txt", "d.db", "printed by x"):
        assert any(name in one for one in found), (name, found)


def thrown_back(seen: Seen, status: int) -> Reply:
    """An answer that holds all it was sent, in its headers and in its body."""
    authorization = seen.header("Authorization") or "none"
    told = {"you": [seen.target, *seen.headers]}
    return Reply(status, json.dumps(told).encode(), {"Location": seen.target, "X-Request-Id": authorization})


ECHO = {
    "basic": {"username": KEY, "password": SECRET},
    "bearer": {"token": SECRET},
    "api-key": {"value": SECRET, "name": "key", "place": "query"},
}


_RECORDS = ("--records", "records.jsonl")


class Said:
    """Runs commands of a project and keeps all that they print."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.texts: dict[str, str] = {}

    def run_all(self, *commands: tuple[object, ...], code: int = 0) -> None:
        for ended in self.project.together(*commands, code=code):
            self.texts[f"command {len(self.texts)}: {' '.join(ended.arguments)}"] = ended.out + ended.err

    def run(self, *arguments: object, code: int = 0) -> None:
        self.run_all(arguments, code=code)


def _upload(said: Said) -> None:
    """Everything a person does with a credential of Imagga: stored, looked at, tried, refused, carried."""
    emulator = ImaggaEmulator(credentials={KEY: SECRET}, monthly_limit=10_000)
    with serve(emulator) as server:
        values = ("--value", f"api_key={KEY}", "--value", f"api_secret={SECRET}")
        said.run("credential", "add", "imagga", "--name", "key", "--origin", server.url, *values, "--check")
        said.project.destination(
            "upload",
            {
                "connector": "imagga",
                "endpoint": "upload-image",
                "credential": "key",
                "base_url": server.url,
                "params": {"image": "{record.file}"},
                "files_root": "pictures",
                "limits": QUICK,
                "retry": {"attempts": 2, "base_s": 0.01},
                "outputs": [{"to": "jsonl", "path": "out/answers.jsonl"}],
            },
        )
        said.run_all(
            ("credential", "list", "--json"),
            ("destination", "show", "upload", "--json"),
            ("preview", "upload", *_RECORDS, "--full"),
            ("test", "upload", *_RECORDS, "--json"),
        )
        emulator.faults.add(Fault.refused(503, count=None))
        said.run("run", "upload", *_RECORDS, "--activate", code=3)
        emulator.faults.clear()
        said.run("run", "upload", *_RECORDS)


def _be_echoed_at(said: Said) -> None:
    """Runs whose service throws back all it was sent: as a success, as a refusal, as a redirect."""
    with RecordingServer() as echo:
        for kind, secrets in ECHO.items():
            said.project.store(kind, secrets, echo.url, name=kind)
            said.project.destination(
                kind,
                {
                    "request": {"method": "POST", "url": echo.url + "/in"},
                    "credential": kind,
                    "limits": QUICK,
                    "key": "id",
                    "outputs": [{"to": "jsonl", "path": f"out/{kind}.jsonl"}],
                },
            )
        for status, code in ((200, 0), (400, 4), (302, 3)):
            echo.answer = lambda seen, status=status: thrown_back(seen, status)
            said.run_all(
                *(("run", kind, *_RECORDS, "--activate", "--run-key", f"{kind}-{status}") for kind in ECHO),
                code=code,
            )
        said.run("dead-letters", "list", "basic")
        sent = [seen.target + str(seen.headers) for seen in echo.seen]
    assert any(SECRET in text for text in sent), "it was sent, or this test would prove nothing"
    assert any(quote(SECRET, safe="") in text for text in sent)


def test_nothing_a_run_wrote_holds_a_secret(project: Project) -> None:
    """Runs that succeed, fail, stop and are echoed at: neither what they wrote nor what they said holds the secret."""
    said = Said(project)
    project.write("pictures/a.png", png(4, 4))
    project.records([{"id": n, "file": "a.png", "url": f"https://example.com/{n}.jpg"} for n in range(5)])
    _upload(said)
    _be_echoed_at(said)
    places = everything(project.root, said.texts)
    assert any("ledger" in place and "table" in place for place in places)
    assert any("answers.jsonl" in place for place in places)
    assert search(places, {"key": KEY, "secret": SECRET}) == []


@pytest.mark.parametrize("kind", ECHO)
def test_a_test_send_holds_no_secret(kind: str, project: Project, server: RecordingServer) -> None:
    """What a test prints of an answer that throws the credential back has it taken out, headers included."""
    server.answer = lambda seen: thrown_back(seen, 200)
    project.store(kind, ECHO[kind], server.url, name=kind)
    project.destination("echo", {"request": {"url": server.url + "/in"}, "credential": kind})
    answer = haulier.test_send("echo", [{"id": 1}])
    assert answer.status == 200
    places = {"headers": repr(answer.headers).encode(), "body": answer.body, "all": repr(answer).encode()}
    assert search(places, {"key": KEY, "secret": SECRET}) == []


def test_no_exception_or_repr_holds_a_secret(project: Project, server: RecordingServer) -> None:
    """From Python too: a wrong credential, a refused one, and what a run returns say nothing of the values."""
    told = []
    server.answer = lambda seen: Reply(401, str(seen.headers).encode())
    destination = {"name": "echo", "request": {"url": server.url}, "limits": QUICK}
    values = {"type": "basic", "username": KEY, "password": SECRET, "origins": [server.url]}
    report = haulier.send(destination, [{"a": 1}], credential=values)
    told += [repr(report), json.dumps(report.to_dict())]
    assert report.state == "stopped"
    answer = haulier.test_send(destination, [{"a": 1}], credential=values)
    told.append(repr(answer))
    for wrong in ({**values, "origins": ["https://other.example.com"]}, {**values, "pasword": SECRET}):
        with pytest.raises(haulier.CredentialError) as caught:
            haulier.send(destination, [{"a": 1}], credential=wrong)
        told += [
            str(caught.value),
            repr(caught.value),
            repr(caught.value.__cause__),
            repr(caught.value.__context__),
        ]
    places = {f"told {number}": text.encode() for number, text in enumerate(told)}
    assert search(places, {"key": KEY, "secret": SECRET}) == []
