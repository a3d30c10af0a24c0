"""`haulier imagga emulate` in a process of its own."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from haulier_imagga.commands import imagga

PROGRAM = "from haulier_imagga.commands import imagga; imagga()"
DEMO = ("acc_0123456789abcde", "0123456789abcdef0123456789abcdef")


@contextmanager
def emulate(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running command, and the first line of its standard output."""
    command = [sys.executable, "-c", PROGRAM, "emulate", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().rstrip("\n")
        finally:
            process.kill()


def get(url: str, path: str, user: tuple[str, str] = DEMO) -> int:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    token = base64.b64encode(":".join(user).encode()).decode()
    try:
        connection.request("GET", path, headers={"Authorization": f"Basic {token}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_url_is_the_only_line_on_standard_output_and_a_signal_ends_it_well(
    tmp_path: Path, number: signal.Signals
) -> None:
    ready = tmp_path / "ready"
    with emulate("--ready-file", str(ready)) as (process, url):
        assert get(url, "/v2/usage") == 200
        assert ready.read_text() == f"{url}\n"
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, "")
    assert not ready.exists()
    assert "an emulator, not the service" in err
    assert "not vision" in err
    assert "POST /v2/tags/feedback [?]" in err
    assert all(value in err for value in DEMO)


def test_options_reach_the_emulator_and_a_given_secret_is_not_printed(tmp_path: Path) -> None:
    plan = tmp_path / "faults.json"
    plan.write_text('[{"status": 500, "path": "/v2/usage"}]')
    options = [
        "--key",
        "me",
        "--secret",
        "pssst",
        "--fault",
        '{"status": 503}',
        "--fault",
        f"@{plan}",
        "--json",
    ]
    with emulate(*options, "--rate", "0.01", "--monthly-limit", "7") as (process, line):
        told = json.loads(line)
        url = told["url"]
        assert told == {"version": 1, "url": url, "api_url": f"{url}/v2", "port": urlsplit(url).port}
        assert [get(url, "/v2/usage", ("me", "pssst")) for _ in range(4)] == [503, 500, 200, 429]
        assert get(url, "/v2/usage") == 401
        process.terminate()
        _, err = process.communicate(timeout=10)
    assert "pssst" not in line + err
    assert DEMO[1] not in err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--key", "k"], "--key and --secret go together"),
        (["--fault", '{"status": 1}'], "status must be 200 to 599, not 1"),
        (["--fault", "@/nowhere/f.json"], "/nowhere/f.json"),
        (["--rate", "0"], "requests_per_second must be above 0"),
        (["--rate", "nan"], "requests_per_second must be above 0, not nan"),
        (["--rate", "inf"], "requests_per_second must be above 0, not inf"),
        (["--polls", "-1"], "-1"),
        (["--port", "70000"], "70000"),
        (
            ["--key", "é", "--secret", "s"],
            "--key: it is empty, or holds a space or a character that no key has",
        ),
        (
            ["--key", "k", "--secret", "a b"],
            "--secret: it is empty, or holds a space or a character that no key",
        ),
        (["--key", "a:b", "--secret", "s"], "--key: an API key cannot hold a colon"),
        (
            ["--ready-file", "/nowhere/ready"],
            "--ready-file: cannot write /nowhere/ready: No such file or directory",
        ),
    ],
)
def test_what_does_not_hold_is_refused_by_name_with_exit_code_2(options: list[str], named: str) -> None:
    done = CliRunner().invoke(imagga, ["emulate", *options])
    assert done.exit_code == 2
    assert named in done.output
    assert "an emulator, not the service" not in done.output, "it never answered"


def test_a_port_that_is_taken_is_told_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(imagga, ["emulate", "--port", str(port)])
    assert (done.exit_code, done.output.splitlines()[-1]) == (
        2,
        f"Error: cannot listen on 127.0.0.1 port {port}: Address already in use; take another port, or 0 for one that "
        "is free",
    )


def test_the_commands_module_loads_no_server() -> None:
    program = (
        "import sys; before = set(sys.modules); import haulier_imagga.commands;"
        "sys.exit(bool({'starlette', 'uvicorn', 'httpx'} & (set(sys.modules) - before)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_missing_extra_is_named_by_the_command() -> None:
    program = (
        "import importlib.util as util; found = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'starlette' else found(name, *rest)\n" + PROGRAM
    )
    command = [sys.executable, "-c", program, "emulate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'haulier[emulator]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_cleanup_says_of_a_picture_that_it_is_no_text(tmp_path: Path) -> None:
    picture = tmp_path / "rocket.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0")
    ended = CliRunner().invoke(imagga, ["cleanup", str(picture), "--yes"])
    assert (ended.exit_code, "rocket.jpg: no UTF-8 text" in ended.output) == (2, True)


def test_cleanup_reads_past_a_byte_order_mark_and_refuses_lines_without_any_id(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b'\xef\xbb\xbf{"x": 1}\n{"upload_id": null}\n')
    ended = CliRunner().invoke(imagga, ["cleanup", str(lines), "--yes"])
    assert (ended.exit_code, ended.output.splitlines()[-1]) == (
        2,
        f"Error: none of the 2 lines of {lines} holds an `upload_id`; give what an output of upload-image wrote",
    )


def test_cleanup_of_nothing_at_all_has_nothing_to_do(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(b"\xef\xbb\xbf\n\n")
    ended = CliRunner().invoke(imagga, ["cleanup", str(lines), "--yes"])
    assert (ended.exit_code, ended.output) == (0, "0 uploads: 0 are gone, 0 were refused\n")
