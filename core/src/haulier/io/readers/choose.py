"""Which reader takes an input: by a given format, by scheme, by file ending, or by the first bytes."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any

from haulier.errors import ConfigurationError
from haulier.io.readers.csv_rows import CsvReader
from haulier.io.readers.doors import SourceDoors
from haulier.io.readers.json_file import JsonReader
from haulier.io.readers.jsonl import JsonlReader
from haulier.io.readers.records import RecordsReader
from haulier.io.readers.source import Source
from haulier.model.parts import Doors, Reader, ReaderType

__all__ = ["open_records", "reader_types"]

_FORMATS = ("csv", "json", "jsonl", "ssv", "tsv")
_DELIMITED = ("csv", "ssv", "tsv")


def reader_types() -> tuple[ReaderType, ...]:
    """The readers that core brings, offered through the same hook as anybody's."""
    return (
        ReaderType(
            name="jsonl",
            title="JSON lines",
            description="one JSON object a line; blank lines are skipped",
            factory=_jsonl,
            endings=(".jsonl", ".ndjson"),
        ),
        ReaderType(
            name="json",
            title="JSON",
            description="an array of objects, JSON lines, or one object; told apart by the first bytes",
            factory=_json,
            endings=(".json",),
        ),
        ReaderType(
            name="csv",
            title="CSV",
            description="comma-separated rows below a header row; every value stays a string",
            factory=_csv,
            endings=(".csv",),
        ),
        ReaderType(
            name="tsv",
            title="TSV",
            description="tab-separated rows below a header row; every value stays a string",
            factory=_tsv,
            endings=(".tsv",),
        ),
        ReaderType(
            name="ssv",
            title="SSV",
            description="semicolon-separated rows below a header row, as spreadsheets of many countries write CSV; "
            "every value stays a string",
            factory=_ssv,
            endings=(".ssv",),
        ),
    )


def open_records(
    source: str | os.PathLike[str] | Iterable[Any],
    *,
    format: str | None = None,
    delimiter: str | None = None,
    types: Sequence[ReaderType] | None = None,
    doors: Doors | None = None,
) -> Reader:
    """The reader for an input: a path, `-` for standard input, a URL of a reader's scheme, or an iterable.

    format: name of a reader type; without it the scheme or ending decides, and the first bytes where there is
    none that is known. A `.gz` behind the ending is looked through. delimiter: one character, for csv, ssv and tsv.
    types: all reader types there are; core's own by default. doors: what a path is opened through, instead of doors to
    it alone.
    Raises ConfigurationError for a format or delimiter that does not fit, InputError for an input that cannot be
    opened.
    """
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        types = reader_types() if types is None else types
        return _open_path(path, format, delimiter, types, doors or SourceDoors(path))
    elif format is not None or delimiter is not None:
        raise ConfigurationError("records: a format or delimiter is for paths; Python records have none")
    elif isinstance(source, AsyncIterable):
        raise ConfigurationError(
            f"records: one {type(source).__qualname__} is asynchronous, which no run can pull; write what it gives to "
            "an `open_run`, some records at a time, or collect it: [one async for one in records]"
        )
    elif isinstance(source, (Mapping, bytes, bytearray)) or not isinstance(source, Iterable):
        raise ConfigurationError(
            f"records: one {type(source).__qualname__} is no iterable of records; put it into a list"
        )
    return RecordsReader(source)


def _open_path(
    path: str, name: str | None, delimiter: str | None, types: Sequence[ReaderType], doors: Doors
) -> Reader:
    if not path:
        raise ConfigurationError("records: the path is empty; give that of a file, or - for standard input")
    chosen = _named(name, types) if name is not None else _fitting(path, types)
    if delimiter is not None:
        if chosen is None or chosen.name not in _DELIMITED:
            raise ConfigurationError(f"{path}: a delimiter is for csv, ssv and tsv; name the format too")
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise ConfigurationError(
                f"{path}: the delimiter {delimiter!r} is not one character, or ends a line"
            )
        return CsvReader(Source(path, doors), delimiter)
    if chosen is not None:
        return chosen.factory(path, doors)
    return JsonReader(Source(path, doors), tuple(sorted(reader.name for reader in types)))


def _named(name: str, types: Sequence[ReaderType]) -> ReaderType:
    for reader in types:
        if reader.name == name:
            return reader
    known = ", ".join(sorted(reader.name for reader in types))
    raise ConfigurationError(f"format {name!r} is not known; known formats: {known}")


def _fitting(path: str, types: Sequence[ReaderType]) -> ReaderType | None:
    """The type whose scheme or longest ending fits; None where none does."""
    scheme, separator, _ = path.partition("://")
    if separator:
        for reader in types:
            if scheme.lower() in reader.schemes:
                return reader
    lowered = path.lower()
    fits = [
        (len(ending), reader)
        for reader in types
        for ending in reader.endings
        if lowered.endswith((ending, f"{ending}.gz"))
    ]
    return max(fits, key=lambda fit: fit[0])[1] if fits else None


def _jsonl(source: str, doors: Doors) -> Reader:
    return JsonlReader(Source(source, doors))


def _json(source: str, doors: Doors) -> Reader:
    return JsonReader(Source(source, doors), _FORMATS)


def _csv(source: str, doors: Doors) -> Reader:
    return CsvReader(Source(source, doors))


def _tsv(source: str, doors: Doors) -> Reader:
    return CsvReader(Source(source, doors), "\t")


def _ssv(source: str, doors: Doors) -> Reader:
    return CsvReader(Source(source, doors), ";")
