"""The CSV output: one row a line, in columns of one's own; appended, and on the disk before it counts as written."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator

from haulier.io.outputs.jsonl import JsonlOutput
from haulier.model.answers import Condition
from haulier.model.json_value import as_text, decoded
from haulier.model.parts import Doors, OutputType, Settings
from haulier.model.pointer import check_pointer, pick

__all__ = ["CSV", "CsvOutput", "CsvSettings"]


class CsvSettings(Settings):
    """Settings of the output `csv`."""

    path: str = Field(min_length=1, description="the file to append to, below the project's folder")
    columns: dict[str, str] = Field(
        description="column -> where its value is: a name of the line or of its record, or a JSON pointer into the "
        "line; a list of these names its columns after them"
    )
    include: list[str] = Field(
        default=[], description="attributes of the record to carry on besides those sent"
    )
    when: Condition | None = Field(
        default=None, description="only lines that say so: `{at: /state, is: delivered}`"
    )

    @field_validator("columns", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        if isinstance(value, list):
            value = {str(name).rpartition("/")[2]: str(name) for name in value}
        if not value:
            raise ValueError("name at least one column")
        return value

    @field_validator("columns", mode="after")
    @classmethod
    def _pointers(cls, value: dict[str, str]) -> dict[str, str]:
        for column, at in value.items():
            if at.startswith("/") and (fault := check_pointer(at)):
                raise ValueError(f"column {column}: {at} {fault}")
        return value


class CsvOutput(JsonlOutput):
    """Appends rows as RFC 4180 has them; a value's line breaks become spaces, so that one row is one line.

    The first row names the columns. Values that are lists or objects stand as JSON, what is missing as nothing. Raises
    ConfigurationError where the file has other columns.
    """

    def __init__(self, settings: CsvSettings, doors: Doors) -> None:
        self._columns = settings.columns
        self._head = _row(list(settings.columns))
        super().__init__(settings, doors)
        if not self._file.seek(0, io.SEEK_END):
            self._append(self._head)

    def write(self, lines: Sequence[bytes]) -> None:
        """Append a row for each line and wait until the disk has them."""
        values = map(decoded, lines)
        rows = (_row([_cell(line, place) for place in self._columns.values()]) for line in values)
        self._append(b"".join(rows))
        self._doors.make_durable(self._file)

    def _is_own(self, size: int) -> bool:
        self._file.seek(0)
        return self._file.read(len(self._head)) == self._head[:size]

    def _not_own(self, path: str) -> str:
        return f"outputs csv: {path} has other columns than {', '.join(self._columns)}; take another path"

    def _is_whole(self, torn: bytes) -> bool:
        """A row without its line break may lack more than that; it comes again from the ledger."""
        return False


def _cell(line: Mapping[str, Any], place: str) -> str:
    if place.startswith("/"):
        value = pick(line, place)
    elif place in line:
        value = line[place]
    else:
        record = line.get("record")
        value = record.get(place) if isinstance(record, Mapping) else None
    if value is None:
        return ""
    return " ".join(as_text(value).splitlines())


def _row(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


CSV = OutputType(
    name="csv",
    title="CSV",
    description="Appends what came of each request to a table, a row a line, in columns of your own.",
    settings=CsvSettings,
    factory=CsvOutput,
)
