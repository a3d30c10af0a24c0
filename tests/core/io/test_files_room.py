"""Files of records: nothing outside the root is read, and nothing that changed is sent whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from haulier.errors import ConfigurationError, RecordError, TransportError
from haulier.io import files
from haulier.io.files import FileRoom, open_part, stream_part
from haulier.model.request import FilePart


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "in" / ".hidden").mkdir(parents=True)
    (folder / "in" / "beach.JPG").write_bytes(b"picture")
    (folder / "in" / ".env").write_bytes(b"secret")
    (folder / "in" / ".hidden" / "a.txt").write_bytes(b"secret")
    (folder / "empty").write_bytes(b"")
    (tmp_path / "outside.txt").write_bytes(b"secret")
    return folder


def part_of(path: Path, media_type: str, name: str = "") -> FilePart:
    data, status = path.read_bytes(), path.stat()
    return FilePart(
        path=str(path),
        name=name or path.name,
        size=len(data),
        mtime_ns=status.st_mtime_ns,
        sha256=hashlib.sha256(data).digest(),
        media_type=media_type,
    )


def refusal(root: Path, path: str) -> str:
    with pytest.raises(RecordError) as caught:
        FileRoom(root, 1000).part(path)
    return str(caught.value)


def test_a_part_is_what_is_seen_of_the_file(root: Path) -> None:
    room = FileRoom(root, 1000)
    expected = part_of(root / "in" / "beach.JPG", "image/jpeg")
    assert room.part("in/beach.JPG") == expected
    assert room.part("./in//beach.JPG") == expected
    assert room.part(str(root / "in" / "beach.JPG")) == expected
    assert room.part("empty") == part_of(root / "empty", "application/octet-stream")


def test_links_that_stay_below_the_root_are_followed(root: Path, tmp_path: Path) -> None:
    (root / "link.png").symlink_to(root / "in" / "beach.JPG")
    (tmp_path / "also-root").symlink_to(root)
    expected = part_of(root / "in" / "beach.JPG", "image/png", "link.png")
    assert FileRoom(root, 1000).part("link.png") == expected
    assert FileRoom(tmp_path / "also-root", 1000).part(str(tmp_path / "also-root" / "link.png")) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "file '': is no path; give one relative to files_root"),
        ("a\0b", "file 'a\\x00b': is no path; give one relative to files_root"),
        ("\ud800", "file '\\ud800': is no Unicode text; give a path relative to files_root"),
        ("../outside.txt", "file '../outside.txt': a path may not hold `..`; give it relative to files_root"),
        ("in/../in/beach.JPG", None),
        ("/etc/passwd", "file '/etc/passwd': is outside files_root; only files below it are sent"),
        ("in/.env", "file 'in/.env': '.env' is hidden; dot-files and dot-folders are never sent"),
        (
            "in/.hidden/a.txt",
            "file 'in/.hidden/a.txt': '.hidden' is hidden; dot-files and dot-folders are never sent",
        ),
        ("in", "file 'in': is a folder; name a file in it"),
        (".", "file '.': is a folder; name a file in it"),
        ("gone.jpg", "file 'gone.jpg': no such file below files_root; check the record's path"),
        ("in/beach.JPG/x", "file 'in/beach.JPG/x': not a directory"),
        ("x" * 300, "file '" + "x" * 120 + "...': file name too long"),
        ("pipe", "file 'pipe': is no regular file; only those are sent"),
        ("out", "file 'out': leads outside files_root; only files below it are sent"),
        ("up/outside.txt", "file 'up/outside.txt': leads outside files_root; only files below it are sent"),
        ("to-env", "file 'to-env': '.env' is hidden; dot-files and dot-folders are never sent"),
        ("a\nb\x1b[2J", "file 'a\\nb\\x1b[2J': no such file below files_root; check the record's path"),
        ("large", "file 'large': has 1,001 bytes, more than max_file_bytes: 1,000"),
    ],
)
def test_what_may_not_be_sent_is_refused_with_its_reason(
    root: Path, tmp_path: Path, path: str, message: str | None
) -> None:
    os.mkfifo(root / "pipe")
    (root / "out").symlink_to(tmp_path / "outside.txt")
    (root / "up").symlink_to(tmp_path)
    (root / "to-env").symlink_to(root / "in" / ".env")
    (root / "large").write_bytes(b"x" * 1001)
    expected = message or f"file {path!r}: a path may not hold `..`; give it relative to files_root"
    assert refusal(root, path) == expected


def test_a_loop_of_links_is_refused(root: Path) -> None:
    (root / "a").symlink_to(root / "b")
    (root / "b").symlink_to(root / "a")
    assert refusal(root, "a").startswith("file 'a': ")


def test_a_folder_swapped_for_a_link_after_resolving_is_not_followed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "beach.JPG").write_bytes(b"secret")
    opened = files._open_without_links

    def swap_first(path: str) -> int:
        (root / "in").rename(tmp_path / "moved")
        (root / "in").symlink_to(tmp_path / "elsewhere")
        return opened(path)

    monkeypatch.setattr(files, "_open_without_links", swap_first)
    assert refusal(root, "in/beach.JPG").startswith("file 'in/beach.JPG': ")


@pytest.mark.parametrize(
    ("name", "message"), [("gone", "no such file or directory"), ("empty", "is not a folder")]
)
def test_a_root_that_is_no_folder_is_refused(root: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"files_root: .*{name}.*{message}"):
        FileRoom(root / name, 1000)


def test_a_file_named_by_many_records_is_read_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    read_through = files._read_through

    def counted(*arguments: object) -> bytes:
        nonlocal reads
        reads += 1
        return read_through(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "_read_through", counted)
    monkeypatch.setattr(files, "_KNOWN_FILES", 2)
    room = FileRoom(root, 1000)
    beach = root / "in" / "beach.JPG"
    first = room.part("in/beach.JPG")
    assert (room.part("in/beach.JPG"), reads) == (first, 1)
    beach.write_bytes(b"another")  # same size
    os.utime(beach, ns=(first.mtime_ns, first.mtime_ns))
    assert (room.part("in/beach.JPG").sha256, reads) == (hashlib.sha256(b"another").digest(), 2)
    for number in range(3):
        (root / f"more{number}").write_bytes(b"x")
        room.part(f"more{number}")
    assert len(room._hashes) == 2


def test_open_part_gives_the_file_or_says_that_it_changed(root: Path) -> None:
    beach = root / "in" / "beach.JPG"
    part = FileRoom(root, 1000).part("in/beach.JPG")
    with open_part(part) as file:
        assert file.read() == b"picture"
    beach.write_bytes(b"larger picture")
    with pytest.raises(RecordError) as caught:
        open_part(part)
    assert (
        str(caught.value) == "file beach.JPG: changed since the run looked at it; let it rest, and run again"
    )
    beach.unlink()
    with pytest.raises(RecordError) as caught:
        open_part(part)
    assert str(caught.value) == (
        "file beach.JPG: no such file or directory; it was there when the run looked at it"
    )
    beach.symlink_to(root / "empty")
    with pytest.raises(RecordError):
        open_part(part)


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 35])
def test_a_file_that_stayed_is_streamed_whole(root: Path, size: int) -> None:
    (root / "a").write_bytes(os.urandom(size))
    pieces = list(stream_part(FileRoom(root, 1000).part("a"), 10))
    assert b"".join(pieces) == (root / "a").read_bytes()
    assert all(0 < len(piece) <= 10 for piece in pieces)


def until_error(pieces: Iterator[bytes]) -> tuple[bytes, TransportError]:
    sent = b""
    try:
        for piece in pieces:
            sent += piece
    except TransportError as error:
        return sent, error
    raise AssertionError("the file was streamed whole")


def test_a_file_changed_behind_its_times_never_goes_out_whole(root: Path) -> None:
    path = root / "a"
    path.write_bytes(b"0123456789" * 3)
    part = FileRoom(root, 1000).part("a")
    path.write_bytes(b"0123456789" * 2 + b"012345678!")
    os.utime(path, ns=(part.mtime_ns, part.mtime_ns))
    sent, error = until_error(stream_part(part, 10))
    assert sent == b"0123456789" * 2
    assert (str(error), error.sent) == (
        "file a: changed since the run looked at it; let it rest, and run again",
        "maybe",
    )


@pytest.mark.parametrize("during", [b"more at the end", None])
def test_a_file_that_grows_or_shrinks_under_way_never_goes_out_whole(
    root: Path, during: bytes | None
) -> None:
    path = root / "a"
    path.write_bytes(b"0123456789" * 3)
    pieces = stream_part(FileRoom(root, 1000).part("a"), 10)
    sent = next(pieces)
    if during is None:
        os.truncate(path, 15)
    else:
        with path.open("ab") as file:
            file.write(during)
    rest, error = until_error(pieces)
    assert len(sent + rest) < 30
    assert error.sent == "maybe"


def test_a_file_that_is_gone_is_a_transport_error_once_streaming_was_asked_for(root: Path) -> None:
    part = FileRoom(root, 1000).part("in/beach.JPG")
    (root / "in" / "beach.JPG").unlink()
    sent, error = until_error(stream_part(part))
    assert (sent, error.sent) == (b"", "maybe")
