"""Mended dead letters: the lines of an export, with their records as a person changed them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

import msgspec

from haulier.errors import ConfigurationError
from haulier.io.readers import open_records
from haulier.model.json_value import NO_JSON

__all__ = ["Mended", "read_mended"]


class Mended(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter of an export. place: where its line stands; text: the record as it is to be sent."""

    place: str
    run_id: str
    position: int
    text: bytes


_MOST = (1 << 63) - 1  # of a whole number in SQLite: https://www.sqlite.org/datatype3.html


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    run_id: str
    position: Annotated[int, msgspec.Meta(ge=0, le=_MOST)]
    record: msgspec.Raw = msgspec.Raw(b"null")
    text: str | None = None


_decode = msgspec.json.Decoder(_Line).decode


def read_mended(path: str | os.PathLike[str]) -> Iterator[Mended]:
    """The lines of a file that `dead-letters export --json` wrote, in order; `-` for standard input.

    The record stands in `record`, as JSON, or in `text`. ConfigurationError for a line that names no dead letter or
    holds no record, before anything is sent.
    """
    name = "standard input" if os.fspath(path) == "-" else os.fspath(path)
    for block in open_records(path, format="jsonl").blocks():
        for index, line in enumerate(block.lines):
            yield _mended(line, f"{name}, {block.place(index)}")


def _mended(line: bytes, place: str) -> Mended:
    try:
        found = _decode(line)
    except NO_JSON as error:
        raise ConfigurationError(
            f"{place}: is no exported dead letter: {error}; mend what `haulier dead-letters export --json` wrote"
        ) from None
    record = bytes(found.record).strip()
    text = found.text.encode() if record == b"null" and found.text is not None else record
    if text in (b"", b"null"):
        raise ConfigurationError(f"{place}: holds no record; write it as JSON under `record`")
    if text is record and text[:1] != b"{":
        raise ConfigurationError(
            f"{place}: `record` is {text[:80].decode(errors='replace')}, no JSON object; write the record as `{{...}}`"
        )
    if b"\n" in text or b"\r" in text:
        raise ConfigurationError(
            f"{place}: the text has a line break; write the record as JSON under `record`"
        )
    return Mended(place=place, run_id=found.run_id, position=found.position, text=text)
