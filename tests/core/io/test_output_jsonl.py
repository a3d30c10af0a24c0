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


def open_output(root: Path, path: str = "out/answers.jsonl") -> JsonlOutput:
    return JsonlOutput(JsonlSettings(path=path), FolderDoors(root))


def test_lines_are_appended_and_there_when_write_returns(tmp_path: Path) -> None:
    with closing(open_output(tmp_path)) as output:
        output.write([b'{"a":1}', b'{"a":2}'])
        assert (tmp_path / "out/answers.jsonl").read_bytes() == b'{"a":1}\n{"a":2}\n'
    with closing(open_output(tmp_path)) as output:
        output.write([b'{"a":3}'])
    assert (tmp_path / "out/answers.jsonl").read_bytes() == b'{"a":1}\n{"a":2}\n{"a":3}\n'


@given(
    whole=st.lists(st.binary(max_size=8).filter(lambda line: b"\n" not in line), max_size=4),
    torn=st.integers(1, 12),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_torn_last_line_is_cut_off_and_whole_ones_stay(
    tmp_path: Path, whole: list[bytes], torn: int
) -> None:
    path = tmp_path / "torn.jsonl"
    before = b"".join(line + b"\n" for line in whole)
    path.write_bytes(before + b'{"id": "x1", "n"'[:torn])
    with closing(open_output(tmp_path, "torn.jsonl")) as output:
        output.write([b'{"new":1}'])
    assert path.read_bytes() == before + b'{"new":1}\n'


def test_a_last_line_that_only_lacks_its_break_is_kept(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b'{"a":1}\n{"a":2}')
    with closing(open_output(tmp_path, "x.jsonl")) as output:
        output.write([b'{"a":3}'])
    assert (tmp_path / "x.jsonl").read_bytes() == b'{"a":1}\n{"a":2}\n{"a":3}\n'


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 200_000])
def test_a_long_torn_line_is_found_from_the_end(tmp_path: Path, length: int) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n{"b":"' + b"x" * length)
    open_output(tmp_path, "x.jsonl").close()
    assert path.read_bytes() == b'{"a":1}\n'
    path.write_bytes(b'{"b":"' + b"x" * length)
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
