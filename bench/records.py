"""The records that are carried: seeded, so that every run and every machine has the same ones."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

__all__ = ["EXCLUDED", "Records", "first_of", "make_records", "repeated"]

EXCLUDED = "internal_note"  # the attribute that is kept out where one is
_SEED = 7
_AT_ONCE = 10_000


@dataclass(frozen=True, kw_only=True)
class Records:
    """A file of records. payload_bytes: without blanks and line breaks, which a tool may leave out.

    excluded_bytes: how many of them the attribute EXCLUDED takes.
    """

    path: Path
    count: int
    payload_bytes: int
    excluded_bytes: int


def make_records(path: Path, count: int) -> Records:
    """Write `count` product records of about 218 bytes, one a line."""
    chance = random.Random(_SEED)
    payload = excluded = 0
    with path.open("w", encoding="ascii", newline="\n") as file:
        for start in range(0, count, _AT_ONCE):
            lines: list[str] = []
            for number in range(start, min(start + _AT_ONCE, count)):
                record = _record(number, chance)
                lines.append(json.dumps(record))
                excluded += _taken(record)
            text = "\n".join(lines)
            payload += len(text) - len(lines) + 1 - text.count(" ")
            file.write(text + "\n")
    return Records(path=path, count=count, payload_bytes=payload, excluded_bytes=excluded)


def first_of(records: Records, count: int, path: Path) -> Records:
    """A file with the first `count` of these records."""
    if count >= records.count:
        return records
    payload = excluded = 0
    with records.path.open("rb") as whole, path.open("wb") as part:
        for line in islice(whole, count):
            part.write(line)
            payload += len(line) - 1 - line.count(b" ")
            excluded += _taken(json.loads(line))
    return Records(path=path, count=count, payload_bytes=payload, excluded_bytes=excluded)


def repeated(records: Records, count: int, path: Path) -> Records:
    """A file with `count` records, which are these again and again."""
    payload = excluded = 0
    with path.open("wb") as whole:
        for _ in range(count // records.count):
            with records.path.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)
            payload += records.payload_bytes
            excluded += records.excluded_bytes
    return Records(
        path=path,
        count=count // records.count * records.count,
        payload_bytes=payload,
        excluded_bytes=excluded,
    )


def _taken(record: Mapping[str, object]) -> int:
    """Bytes of EXCLUDED with its name and the comma before it."""
    return len(f',"{EXCLUDED}":"{record[EXCLUDED]}"')


def _record(number: int, chance: random.Random) -> dict[str, object]:
    return {
        "id": number,
        "image_url": f"https://example.com/img/{number}.jpg",
        "sku": f"SKU-{chance.randrange(10**6):06d}",
        "price": round(chance.random() * 100, 2),
        "tags": ["red", "summer", str(number % 17)],
        EXCLUDED: "x" * chance.randrange(5, 60),
        "ts": "2026-11-22T10:00:00Z",
    }
