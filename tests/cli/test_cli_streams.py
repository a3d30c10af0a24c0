"""Standard streams that are closed, full or left, and files that cannot be written: words, never a traceback."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest
from tests.cli.running import COMMAND, Project, Server

FULL = Path("/dev/full")
NO_ROOM = "standard output cannot be written: No space left on device; what was done stands"
needs_full = pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")


def in_shell(project: Project, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of a shell in which `haulier` is the command line."""
    called = " ".join(f"'{word}'" for word in COMMAND)
    ended = subprocess.run(
        ["sh", "-c", f'haulier() {{ {called} "$@"; }}; {command}'],
        cwd=project.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=project.environment(**environment),
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


@pytest.fixture
def carried(project: Project, server: Server) -> Project:
    """A project in which a run was rejected."""
    server.reply = lambda path, body: (400, {}, b"{}")
    project.post("shop", f"{server.url}/x", "key: sku\n")
    assert project.run("run", "shop", "--records", project.records(3), "--activate").code == 4
    return project


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", ["runs", "runs --json", "report shop", "dead-letters export shop"])
def test_a_full_standard_output_is_told_and_is_no_success(
    carried: Project, words: str, unbuffered: str
) -> None:
    ended = in_shell(carried, f"haulier {words} > /dev/full", PYTHONUNBUFFERED=unbuffered)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"haulier: {NO_ROOM}"


@needs_full
def test_a_report_that_cannot_be_written_leaves_the_exit_code_of_its_run(
    carried: Project, server: Server
) -> None:
    ended = in_shell(
        carried, "haulier run shop --records records.jsonl --again > /dev/full", PYTHONUNBUFFERED=""
    )
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (4, f"haulier: {NO_ROOM}")
    assert len(server.seen) == 6


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_break_nothing(project: Project, server: Server, closed: str) -> None:
    """A socket that got the number of a closed one made the event loop end the process."""
    project.post("shop", f"{server.url}/x")
    ended = in_shell(project, f"haulier run shop --records {project.records(5)} --activate {closed}")
    assert ended.returncode == 0, ended.stderr
    assert len(server.seen) == 5


def test_a_reader_that_left_is_no_error(carried: Project) -> None:
    for unbuffered in ("", "1"):
        ended = in_shell(carried, "haulier --help | true", PYTHONUNBUFFERED=unbuffered)
        assert (ended.returncode, ended.stderr) == (0, "")


def cramped(project: Project, most_bytes: int, *words: str) -> tuple[int, str, str]:
    """How a command ends while no file may have more bytes, which stands for a full disk."""
    ended = subprocess.run(
        [*COMMAND, *words],
        cwd=project.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
        env=project.environment(),
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("pause", "shop"), ".haulier/shop/activation.json"),
        (
            ("credential", "add", "bearer", "--origin", "https://api.example", "--value", "token=abc"),
            ".haulier/credentials.json",
        ),
    ],
)
def test_a_file_that_cannot_be_written_is_named_and_the_old_one_stands(
    carried: Project, words: tuple[str, ...], path: str
) -> None:
    before = {path: path.read_bytes() for path in carried.root.rglob("*.json")}
    told = f"{path} cannot be written: File too large; make room or mend its permissions, then run again"
    assert cramped(carried, 10, *words) == (2, "", f"haulier: {told}\n")
    assert {path: path.read_bytes() for path in carried.root.rglob("*.json")} == before


def test_nothing_is_left_of_an_export_that_could_not_be_written(project: Project, server: Server) -> None:
    server.reply = lambda path, body: (400, {}, b"{}")
    project.post("shop", f"{server.url}/x", "key: sku\n")
    (project.root / "in.jsonl").write_text(f'{{"sku":"a","text":"{"x" * 90_000}"}}\n')
    assert project.run("run", "shop", "--records", "in.jsonl", "--activate").code == 4
    export = ("dead-letters", "export", "shop", "-o", "letters.jsonl")
    told = "letters.jsonl: cannot be written: File too large; make room, or give a file elsewhere"
    assert cramped(project, 50_000, *export) == (2, "", f"haulier: {told}\n")
    assert project.run(*export).code == 0
    assert (project.root / "letters.jsonl").read_bytes() == (project.root / "in.jsonl").read_bytes()
