"""`csv`: a header row and a row for each record, https://www.rfc-editor.org/rfc/rfc4180."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Raw
from pydantic import Field, field_validator

from haulier.errors import RecordError
from haulier.model.media_type import TextMediaType
from haulier.model.parts import ContentEncoder, Payload
from haulier.model.request import Body, FilePart
from haulier.pipeline.encoding.json import json_text
from haulier.pipeline.encoding.media import MediaSettings, media_type_field
from haulier.pipeline.encoding.values import (
    Booleans,
    NumberText,
    attributes_of,
    decoded_at_once,
    opened,
    records_of,
    scalar_text,
    utf8,
)

__all__ = ["CSV", "CsvSettings", "encode"]

_MEDIA_TYPE = "text/csv; charset=utf-8"
# What spreadsheets take for the beginning of a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = frozenset("=+-@\t\r\n\uff0b\uff0d\uff1d\uff20")
_LINE_ENDS = {"crlf": "\r\n", "lf": "\n"}


class CsvSettings(MediaSettings):
    """Settings of `csv`."""

    columns: list[str] = Field(
        default=[],
        description="the columns in this order; empty: the attributes of the first record of the body that has any",
    )
    missing: Literal["refuse", "fill"] = Field(
        default="refuse",
        description=(
            "a record that lacks a column. `refuse`: it is rejected; `fill`: its cell is as for a null, and without "
            "`columns` there is a column for every attribute that any record of the body has"
        ),
    )
    extra: Literal["refuse", "drop"] = Field(
        default="refuse",
        description=(
            "a record with an attribute that is no column. `refuse`: it is rejected; `drop`: the value is left out"
        ),
    )
    header: bool = Field(default=True, description="begin with a row of the columns' names")
    delimiter: str = Field(
        default=",", min_length=1, max_length=1, description="the one character between cells"
    )
    quote: Literal["needed", "all"] = Field(
        default="needed", description="which cells stand in quotes: those that need them, or all"
    )
    line_end: Literal["crlf", "lf"] = Field(default="crlf", description="what ends each row")
    booleans: Booleans = "words"
    null: str = Field(
        default="", description='the text of a null; in YAML this key stands in quotes, `"null": NA`'
    )
    nested: Literal["refuse", "json"] = Field(
        default="refuse", description="lists and objects. `refuse`: the record is rejected; `json`: JSON text"
    )
    guard_formulas: bool = Field(
        default=False,
        description=(
            "put `'` before a text that a spreadsheet would take for a formula (it begins with = + - @, a tab or a "
            "line break); numbers stay"
        ),
    )
    media_type: TextMediaType = media_type_field(_MEDIA_TYPE)

    @field_validator("delimiter")
    @classmethod
    def _parts_cells(cls, value: str) -> str:
        if value in '"\r\n' or value.isalnum():
            raise ValueError(f"{value!r} cannot part cells; take a comma, a semicolon, a tab or `|`")
        return value

    @field_validator("columns")
    @classmethod
    def _differ(cls, value: list[str]) -> list[str]:
        if double := next((name for name in value if value.count(name) > 1), None):
            raise ValueError(f"the column {double!r} stands twice; name every column once")
        return value


def encode(payload: Payload, settings: CsvSettings) -> Body:
    """The rows of a list of records, or of one; RecordError names in `each` those that do not fit the columns."""
    records = records_of(payload, "csv")
    columns = settings.columns or _columns(records, settings)
    known = frozenset(columns)
    rows = _Rows(settings)
    if settings.header:
        rows.add([rows.guarded(name) for name in columns], columns)
    faults: list[tuple[Any, str]] = []
    for record in records:
        try:
            attributes = attributes_of(record)
            _check(attributes, columns, known, settings)
            values = decoded_at_once(attributes)
            rows.add([rows.cell(values.get(name), attributes.get(name), name) for name in columns], columns)
        except RecordError as error:
            faults.append((record, str(error)))
    if faults:
        raise RecordError(faults[0][1], each=faults)
    return Body(parts=(b"".join(rows.written),), media_type=settings.media_type)


def _columns(records: Sequence[Any], settings: CsvSettings) -> list[str]:
    """The columns that the records themselves suggest; what is no object has none."""
    names: dict[str, None] = {}
    for record in records:
        attributes = opened(record, "")
        if isinstance(attributes, Mapping):
            names.update(dict.fromkeys(attributes))
        if names and settings.missing == "refuse":
            break
    return list(names)


def _check(
    attributes: Mapping[str, Any], columns: Sequence[str], known: frozenset[str], settings: CsvSettings
) -> None:
    if not columns:
        raise RecordError("has no attributes, so there is no cell to write")
    if attributes.keys() == known:
        return
    if settings.missing == "refuse" and (
        missing := next((name for name in columns if name not in attributes), None)
    ):
        raise RecordError(
            f"has no attribute {missing!r}, which is a column: write `missing: fill` to leave it empty"
        )
    if settings.extra == "refuse" and (
        extra := next((name for name in attributes if name not in known), None)
    ):
        raise RecordError(
            f"attribute {extra!r} is no column: add it to `columns`, leave it out with `exclude`, or write "
            "`extra: drop`"
        )


class _Rows:
    """Rows as they are written; each is UTF-8 with its end."""

    def __init__(self, settings: CsvSettings) -> None:
        self._settings = settings
        self._end = _LINE_ENDS[settings.line_end]
        self._delimiter = settings.delimiter
        self._all_quoted = settings.quote == "all"
        self.written: list[bytes] = []

    def add(self, cells: Sequence[str], columns: Sequence[str]) -> None:
        row = self._delimiter.join(map(self._quoted, cells))
        # A row of one empty cell would be a blank line, which readers skip.
        row = row or '""'
        try:
            self.written.append((row + self._end).encode())
        except UnicodeEncodeError:
            for cell, name in zip(cells, columns, strict=True):
                utf8(cell, name)
            raise

    def _quoted(self, cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if self._all_quoted or self._needs_quotes(cell) else cell

    def _needs_quotes(self, cell: str) -> bool:
        # Spaces at the ends would be lost in readers that trim what is not quoted.
        return (
            self._delimiter in cell
            or '"' in cell
            or "\n" in cell
            or "\r" in cell
            or cell[:1].isspace()
            or cell[-1:].isspace()
        )

    def cell(self, value: Any, raw: Any, attribute: str) -> str:
        """The text of a value; raw: as it came, which is what a nested one is written from."""
        kind = type(value)
        if kind is str:
            return self.guarded(value)
        if kind is NumberText or kind is int:
            return str(value)
        if kind is Raw and not bytes(value).startswith((b'"', b"[", b"{", b"t", b"f", b"n")):
            return bytes(value).decode("ascii")
        found = opened(value, attribute)
        if found is None:
            return self._settings.null
        if isinstance(found, dict | list | tuple):
            return self._nested(found, raw, attribute)
        if isinstance(found, bytes | FilePart):
            raise RecordError(
                f"attribute {attribute!r} is a file: csv cannot carry one; use multipart or bytes"
            )
        text = scalar_text(found, attribute, self._settings.booleans)
        return self.guarded(text) if isinstance(found, str) else text

    def _nested(self, value: Any, raw: Any, attribute: str) -> str:
        if self._settings.nested == "refuse":
            kind = "an object" if isinstance(value, dict) else "a list"
            raise RecordError(
                f"attribute {attribute!r} is {kind}, which no cell holds: set `nested: json` in `format_settings`, "
                "or leave it out with `exclude`"
            )
        return self.guarded((bytes(raw) if type(raw) is Raw else json_text(raw, attribute)).decode())

    def guarded(self, text: str) -> str:
        return "'" + text if self._settings.guard_formulas and text[:1] in _FORMULA else text


CSV = ContentEncoder(
    name="csv",
    title="CSV",
    description="Rows of cells below a header row, in UTF-8: of a batch a row for each record.",
    media_type=_MEDIA_TYPE,
    encode=encode,
    settings=CsvSettings,
    carries_batches=True,
    needs="members",
    charset="utf-8",
    anywhere=True,
)
