"""Sets of positions against Python's own sets."""

from __future__ import annotations

from array import array
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from haulier.model.block import Block, part_of
from haulier.runs.inputs.positions import PositionSet, stretches

some_ranges = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: range(pair[0], sum(pair)))
)


@given(some_ranges, st.lists(st.sets(st.integers(0, 60), min_size=1)), st.integers(0, 70), st.integers(0, 70))
def test_a_set_holds_what_went_in_and_misses_the_rest(
    ranges: list[range], others: list[set[int]], start: int, stop: int
) -> None:
    held = PositionSet([*ranges, *(array("q", sorted(positions)) for positions in others)])
    model = {position for part in (*ranges, *others) for position in part}
    assert [position for position in range(80) if position in held] == sorted(model & set(range(80)))
    gaps = held.missing(start, stop)
    assert [position for gap in gaps for position in gap] == [
        position for position in range(start, stop) if position not in model
    ]
    assert all(gap for gap in gaps)


@given(some_ranges, st.lists(st.sets(st.integers(0, 60), min_size=1)))
def test_a_set_without_stretches_holds_the_rest(ranges: list[range], taken: list[set[int]]) -> None:
    left = PositionSet(ranges).without(array("q", sorted(positions)) for positions in taken)
    model = {position for part in ranges for position in part}.difference(*taken)
    assert {position for position in range(80) if position in left} == model


@given(st.sets(st.integers(0, 50), min_size=1))
def test_stretches_are_as_few_as_can_be(positions: set[int]) -> None:
    found = stretches(array("q", sorted(positions)))
    assert [position for stretch in found for position in stretch] == sorted(positions)
    assert all(before.stop < after.start for before, after in pairwise(found))
    assert stretches(range(3, 7)) == [range(3, 7)]


@given(st.integers(0, 9), st.integers(0, 9))
def test_part_of_a_block_keeps_lines_numbers_faults_and_files_together(low: int, high: int) -> None:
    low, high = sorted((low, high))
    block = Block(
        first=100,
        lines=[b"%d" % number for number in range(10)],
        first_line=7,
        plain=True,
        faults={2: "two", 8: "eight"},
        files=[{"f": f"no file {number}"} for number in range(10)],
        digest=b"whole",
        chunk="c",
    )
    part = part_of(block, 100 + low, 100 + high)
    assert part == Block(
        first=100 + low,
        lines=[b"%d" % number for number in range(low, high)],
        first_line=7 + low,
        plain=True,
        faults={index - low: text for index, text in ((2, "two"), (8, "eight")) if low <= index < high},
        files=[{"f": f"no file {number}"} for number in range(low, high)],
    )
    assert [part.place(index) for index in range(high - low)] == [
        f"line {number}" for number in range(7 + low, 7 + high)
    ]
