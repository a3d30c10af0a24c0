"""A record is named by the line it stands on, for as long as lines are known, in memory that stays small."""

from __future__ import annotations

from array import array

from haulier.model.block import Block
from haulier.pipeline.line_numbers import LineNumbers


def noted(*blocks: tuple[int, int | None]) -> LineNumbers:
    lines = LineNumbers()
    for first, line in blocks:
        lines.note(Block(first=first, lines=[b"{}"], first_line=line))
    return lines


def test_a_record_stands_where_its_block_says() -> None:
    lines = noted((0, 1), (5, 6), (7, 10), (9, 12))
    assert [lines.place(at) for at in (0, 4, 6, 7, 8, 9, 100)] == [
        *("line 1", "line 5", "line 7", "line 10", "line 11", "line 12", "line 103")
    ]
    assert lines.places(range(3, 4)) == "line 4"
    assert lines.places(range(3, 8)) == "lines 4 to 10"
    assert lines.places(array("q", [3, 7, 9])) == "3 records between lines 4 and 12"


def test_without_lines_it_is_named_by_its_position() -> None:
    assert LineNumbers().place(3) == "record 3"
    assert noted((0, None)).places(range(3, 6)) == "records 3 to 5"
    assert noted((4, 9)).places(range(3, 6)) == "records 3 to 5"


def test_only_the_latest_places_are_kept() -> None:
    lines = noted(*((position, 2 * position + 1) for position in range(100_000)))
    assert lines.place(99_999) == "line 199999"
    assert lines.place(85_000) == "line 170001"
    assert lines.place(10) == "record 10"
    assert len(lines._starts) <= 40_001
