"""The JSONL output: whole lines only, durable before they count, and never below another folder."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from haulier.errors import ConfigurationError
from haulier.io.doors import FolderDoors
from haulier.io.outputs.jsonl import JSONL, JsonlOutput, JsonlSettings


def line(number: int) -> bytes:
    """A line as a run writes it, as far as it matters here."""
    return b'{"id":"r:%d","run":"r"}' % number


def whole(*numbers: int) -> bytes:
    return b"".join(line(number) + b"\n" for number in numbers)


def open_output(root: Path, path: str = "out/answers.jsonl") -> JsonlOutput:
    return JsonlOutput(JsonlSettings(path=path), FolderDoors(root))


def test_lines_are_appended_and_there_when_write_returns(tmp_path: Path) -> None:
    with closing(open_output(tmp_path)) as output:
        output.write([line(1), line(2)])
        assert (tmp_path / "out/answers.jsonl").read_bytes() == whole(1, 2)
    with closing(open_output(tmp_path)) as output:
        output.write([line(3)])
    assert (tmp_path / "out/answers.jsonl").read_bytes() == whole(1, 2, 3)


@given(whole_lines=st.integers(0, 4), torn=st.integers(1, 21))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_torn_last_line_is_cut_off_and_whole_ones_stay(tmp_path: Path, whole_lines: int, torn: int) -> None:
    path = tmp_path / "torn.jsonl"
    before = whole(*range(whole_lines))
    path.write_bytes(before + line(9)[:torn])
    with closing(open_output(tmp_path, "torn.jsonl")) as output:
        output.write([line(5)])
    assert path.read_bytes() == before + line(5) + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        b"buy milk",
        b"buy milk\ncall Anna",
        b"buy milk\n",
        b'{"sku":"A-17"}\n',
        b'{"sku":"A-17"}\n{"id":"',
        b'{"sku":"A-17"}',
        b'{"idea":1}',
        b"\n",
        b"\x00",
        whole(1) + b"buy milk\n",
    ],
)
def test_a_file_that_is_not_its_own_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(
        ConfigurationError, match=r"notes.txt holds something else than lines of an output; take"
    ):
        open_output(tmp_path, "notes.txt")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (".haulier", "is the folder of ledgers and credentials"),
        (".haulier/wb/ledger.db", "is in the folder of ledgers and credentials"),
        ("link/x.jsonl", "is in the folder of ledgers and credentials"),
        ("out/../haulier.yaml", "is the file that makes this folder a project"),
        ("destinations/wb.yaml", "is in the folder of destinations"),
        ("state/wb/ledger.db-wal", "is in the folder of its ledger"),
        ("in.jsonl", "is the input"),
    ],
)
def test_what_steers_or_records_a_run_is_no_place_for_an_output(tmp_path: Path, path: str, told: str) -> None:
    (tmp_path / "haulier.yaml").touch()
    (tmp_path / ".haulier").mkdir()
    (tmp_path / "link").symlink_to(".haulier")
    doors = FolderDoors(
        tmp_path, kept={tmp_path / "state/wb": "the folder of its ledger", tmp_path / "in.jsonl": "the input"}
    )
    assert doors.refusal(path) == f"{path} {told}; write to another place"
    with pytest.raises(ConfigurationError, match=f"{told}; write to another place"):
        JsonlOutput(JsonlSettings(path=path), doors)
    assert sorted(one.name for one in tmp_path.rglob("*")) == [".haulier", "haulier.yaml", "link"]


def test_without_a_project_a_folder_of_that_name_is_like_any_other(tmp_path: Path) -> None:
    assert FolderDoors(tmp_path).refusal("destinations/x.jsonl") == ""


def test_a_last_line_that_only_lacks_its_break_is_kept(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(whole(1, 2)[:-1])
    with closing(open_output(tmp_path, "x.jsonl")) as output:
        output.write([line(3)])
    assert (tmp_path / "x.jsonl").read_bytes() == whole(1, 2, 3)


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 200_000])
def test_a_long_torn_line_is_found_from_the_end(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(whole(1) + b'{"id":"' + b"x" * length)
    open_output(tmp_path, "x.jsonl").close()
    assert path.read_bytes() == whole(1)
    path.write_bytes(b'{"id":"' + b"x" * length)
    open_output(tmp_path, "x.jsonl").close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize("path", ["../out.jsonl", "/etc/out.jsonl", "a/../../out.jsonl"])
def test_no_path_leads_outside_the_folder(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(ConfigurationError, match="is outside"):
        open_output(root, path)
    assert sorted(tmp_path.rglob("*.jsonl")) == []


def test_no_link_leads_outside_the_folder(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    (root / "file.jsonl").symlink_to(outside / "file.jsonl")
    for path in ("link/x.jsonl", "file.jsonl"):
        with pytest.raises(ConfigurationError, match="is outside"):
            open_output(root, path)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("path", [".", "file/x.jsonl"])
def test_what_cannot_be_a_file_is_named(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"cannot write .*; choose another path"):
        open_output(tmp_path, path)


def test_a_missing_file_to_read_is_a_matter_of_configuration(tmp_path: Path) -> None:
    """Readers of plugins reach files through these doors; the protocol promises them words."""
    (tmp_path / "there").write_bytes(b"x")
    with FolderDoors(tmp_path).open_read("there") as file:
        assert file.read() == b"x"
    with pytest.raises(ConfigurationError, match="outside"):
        FolderDoors(tmp_path).open_read("../there")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_by_write_and_close_still_closes() -> None:
    output = open_output(Path("/dev"), "full")
    with pytest.raises(OSError, match="No space left"):
        output.write([b"{}"])
    output.close()


def test_settings_say_what_is_wrong() -> None:
    with pytest.raises(ValidationError, match="path"):
        JSONL.settings.model_validate({"path": ""})
    with pytest.raises(ValidationError, match="colour"):
        JSONL.settings.model_validate({"path": "x", "colour": "red"})


def test_a_fork_does_not_write_twice(tmp_path: Path) -> None:
    """Nothing stays in a buffer that a child could flush again."""
    output = open_output(tmp_path, "x.jsonl")
    output.write([b"{}"])
    assert os.fstat(output._file.fileno()).st_size == 3
    output.close()
    assert (tmp_path / "x.jsonl").read_bytes() == b"{}\n"
