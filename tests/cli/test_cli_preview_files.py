"""`haulier preview` for other hands: bodies as files, curl commands, and what changes while one edits."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.cli.running import Project, wait_for
from tests.core.runs.wire import Asked, Wire

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
RECORDS = (
    '{"sku": "a/b?c", "text": "@x \\"q\\" \\r\\n $HOME ü€😀"}\n'
    '{"sku": "[0-9]{1,2}..", "text": ""}\n'
    '{"sku": "..;x&y", "text": "\'; rm -rf"}\n'
    "oops\n"
)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire() as made:
        yield made


def head_of(asked: Asked) -> tuple[str, set[str]]:
    first, *lines = asked.head.decode("latin-1").split("\r\n")
    left_out = ("Idempotency-Key:", "Connection:", "Accept-Encoding:")
    return first, {line.rstrip() for line in lines if not line.startswith(left_out)}


def curl_all(project: Project, commands: str, **environment: str) -> None:
    done = subprocess.run(
        ["sh", "-eu", "-c", commands.replace("curl ", "curl --silent --show-error --noproxy '*' ")],
        cwd=project.root,
        env=project.environment(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_curl
def test_curl_sends_what_a_run_sends(project: Project, wire: Wire) -> None:
    headers = 'headers: {X-Odd: "it\'s $HOME `id` \\"q\\" {record.sku}", X-Empty: \'\'}\n'
    project.post(
        "orders",
        f"{wire.url}/x/{{record.sku}}?a={{record.sku}}&b=[1]",
        headers + "limits: {max_in_flight: 1}\n",
    )
    (project.root / "r.jsonl").write_text(RECORDS, encoding="utf-8")
    told = project.run("preview", "orders", "--records", "r.jsonl", "--curl", "--out", "bodies")
    assert told.code == 0, told.err
    curl_all(project, told.out)
    by_hand = list(wire.asked)
    ended = project.run("run", "orders", "--records", "r.jsonl", "--activate")
    by_run = wire.asked[len(by_hand) :]
    assert len(by_hand) == len(by_run) > 0, ended.err
    for one, other in zip(by_hand, by_run, strict=True):
        assert head_of(one) == head_of(other)
        assert one.body == other.body


@needs_curl
@pytest.mark.parametrize(
    ("written", "variable", "value", "sent"),
    [
        (
            ("bearer", "--value", "token=t0p$ecret"),
            "HAULIER_AUTHORIZATION",
            "Bearer t0p$ecret",
            "authorization",
        ),
        (
            ("api-key", "--value", "value=t0p ecret", "--value", "name=key", "--value", "place=query"),
            "HAULIER_KEY",
            "t0p%20ecret",
            "",
        ),
    ],
)
def test_curl_takes_the_credential_from_a_variable(
    project: Project, wire: Wire, written: Any, variable: str, value: str, sent: str
) -> None:
    kind, *values = written
    made = project.run("credential", "add", kind, "--name", "shop", "--origin", wire.url, *values)
    assert made.code == 0, made.err
    project.post("orders", f"{wire.url}/x", "credential: shop\n")
    told = project.run("preview", "orders", "--records", project.records(1), "--curl", "--out", "bodies")
    assert "ecret" not in told.out
    assert f"# {variable}: the value of" in told.out
    curl_all(project, told.out, **{variable: value})
    assert project.run("run", "orders", "--records", "records.jsonl", "--activate").code == 0
    one, other = wire.asked
    assert (one.target, one.body, head_of(one)) == (other.target, other.body, head_of(other))
    assert (one.header(sent) == value) if sent else one.target.endswith(f"key={value}")


@needs_curl
def test_curl_sends_get_and_delete_without_a_body(project: Project, wire: Wire) -> None:
    for method in ("GET", "DELETE"):
        project.destination("orders", f"request: {{method: {method}, url: '{wire.url}/x/{{record.sku}}'}}\n")
        told = project.run("preview", "orders", "--records", project.records(1), "--curl")
        curl_all(project, told.out)
        words = ("run", "orders", "--records", "records.jsonl", "--activate", "--yes")
        assert project.run(*words).code == 0
    assert [head_of(one) for one in wire.asked[::2]] == [head_of(one) for one in wire.asked[1::2]]
    assert [one.body for one in wire.asked] == [b""] * 4


def test_help_says_where_the_bodies_of_curl_commands_come_from(project: Project) -> None:
    told = " ".join(project.run("preview", "--help").out.split())
    assert (
        "--curl Show each request as a curl command that sends the same bytes, bodies from the files of --out; "
        in told
    )


def test_bodies_are_written_byte_for_byte_files_of_the_body_included(project: Project) -> None:
    (project.root / "pictures").mkdir()
    (project.root / "pictures" / "a.png").write_bytes(os.urandom(100_000))
    project.destination(
        "orders",
        "request:\n  url: http://127.0.0.1:9/x\n  content_format: multipart\n  files: {image: '{record.file}'}\n"
        "files_root: pictures\n",
    )
    (project.root / "r.jsonl").write_text('{"file": "a.png"}\n')
    told = project.run("preview", "orders", "--records", "r.jsonl", "--out", "new/bodies", "--json")
    (sample,) = told.json["samples"]
    assert sample["file"] == "new/bodies/sample-0.multipart"
    data = (project.root / sample["file"]).read_bytes()
    assert len(data) == sample["length"]
    assert (project.root / "pictures" / "a.png").read_bytes() in data


def test_names_of_body_files_say_what_is_in_them(project: Project) -> None:
    project.post(
        "orders", "http://127.0.0.1:9/x", "content_format: csv\ncompress: gzip\nbatching: {size: 2}\n"
    )
    told = project.run("preview", "orders", "--records", project.records(3), "--out", "b")
    assert "body in b/sample-0.csv.gz\n" in told.out
    data = (project.root / "b" / "sample-1.csv.gz").read_bytes()
    assert gzip.decompress(data) == b"sku,n\r\nS-2,2\r\n"
    assert f"sha256 {sha256(data).hexdigest()} of {len(data):,} bytes" in told.out
    assert "bytes compressed with gzip, of>\nsku,n\n" in told.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--curl",), "say with --out DIR where to write them"),
        (("--watch", "--json"), "leave out --json"),
        (("--watch", "--records", "-"), "they cannot come from standard input"),
        (("--out", "records.jsonl"), "is a file"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(
    project: Project, words: tuple[str, ...], message: str
) -> None:
    project.post("orders", "http://127.0.0.1:9/x")
    told = project.run("preview", "orders", "--records", project.records(1), *words)
    assert told.code == 2
    assert message in " ".join(told.err.split())


def test_watch_shows_what_changes_and_ends_with_ctrl_c(project: Project, tmp_path: Path) -> None:
    project.post("orders", "http://127.0.0.1:9/x")
    records = project.records(1)
    process = project.start(
        "preview", "orders", "--records", records, "--watch", "--full", PYTHONUNBUFFERED="1"
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    seen = bytearray()

    def shows(text: bytes) -> bool:
        seen.extend(process.stdout.read() or b"")  # type: ignore[union-attr]
        return text in seen

    wait_for(lambda: shows(b'{"sku": "S-0", "n": 0}\n'))
    seen.clear()
    changed = project.root / "changed.jsonl"
    changed.write_text('{"sku": "S-1", "n": 0}\n')
    changed.rename(project.root / records)  # at once: the watch may look at any time
    wait_for(lambda: shows(b'+{"sku": "S-1", "n": 0}\n'))
    assert b'-{"sku": "S-0", "n": 0}\n' in seen
    assert b"POST" not in seen  # what stayed the same is not shown again
    seen.clear()
    project.destination("orders", "request: {}\n")
    wait_for(lambda: shows(b"+cannot be shown: "))
    project.post("orders", "http://127.0.0.1:9/x", "exclude: [n]\n")
    wait_for(lambda: shows(b'+{"sku":"S-1"}\n'))
    process.send_signal(signal.SIGINT)
    wait_for(lambda: process.poll() is not None)
    assert process.returncode == 0
    assert process.stderr is not None
    assert process.stderr.read().decode().endswith("no longer watching\n")


def test_an_edited_sample_of_a_compressed_destination_is_edited_as_text(project: Project, wire: Wire) -> None:
    project.post("orders", f"{wire.url}/x", "compress: gzip\n")
    editor = project.root / "editor.sh"
    editor.write_text('#!/bin/sh\nsed -i s/S-1/S-9/ "$1"\n')
    editor.chmod(0o755)
    told = project.run(
        "test", "orders", "--records", project.records(2), "--sample", "1", "--edit", EDITOR=str(editor)
    )
    assert told.code == 0, told.err
    (asked,) = wire.asked
    assert gzip.decompress(asked.body) == b'{"sku": "S-9", "n": 1}'
    assert asked.header("content-encoding") == "gzip"


def test_a_watch_of_a_file_that_is_not_there_ends_at_once(project: Project) -> None:
    project.post("orders", "http://127.0.0.1:9/x")
    told = project.run("preview", "orders", "--records", "nope.jsonl", "--watch")
    assert (told.code, "--watch: there is no file nope.jsonl; is its name spelt so?" in told.err) == (2, True)


def test_the_hash_of_a_body_with_files_is_told_to_be_of_its_parts(project: Project) -> None:
    project.destination(
        "orders",
        "files_root: pictures\n"
        "request:\n  url: http://127.0.0.1:9/x\n  content_format: multipart\n  files: {image: '{record.file}'}\n",
    )
    (project.root / "pictures").mkdir()
    (project.root / "pictures" / "a.bin").write_bytes(b"picture")
    (project.root / "in.jsonl").write_text('{"file": "a.bin"}\n')
    told = project.run("preview", "orders", "--records", "in.jsonl")
    assert " of the parts, each file as its own sha256, in a body of " in told.out, told.out + told.err
