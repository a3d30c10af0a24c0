"""Open batches keep every record once, in order, with the position it came from."""

from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from haulier.pipeline.address import Address
from haulier.pipeline.batches import OpenBatch, positions_of


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=12),
    st.integers(1, 7),
    st.lists(st.integers(0, 20), max_size=12),
)
def test_what_is_taken_is_what_was_added_in_order(
    adds: list[tuple[int, int]], size: int, forgets: list[int]
) -> None:
    """Against the plainest model there is: a list of positions."""
    batch, model, position = OpenBatch(Address("http://a/")), [], 0
    for number, (gap, count) in enumerate(adds):
        position += gap
        fresh = list(range(position, position + count))
        batch.add(position, fresh, [b"%d" % one for one in fresh])
        model += fresh
        position += count
        start = min(len(model) // 2, forgets[number] if number < len(forgets) else 0)
        taken = min(size, len(model) - start)
        _, positions, items, records = batch.take(taken, start)
        expected = model[start : start + taken]
        assert (list(positions), items, records) == (expected, expected, [b"%d" % one for one in expected])
        if number < len(forgets):
            gone = min(forgets[number], len(model))
            batch.forget(gone)
            del model[:gone]
        assert len(batch) == len(model)
        if model:
            assert batch.first_position() == model[0]


def test_consecutive_positions_are_a_range_and_others_an_array() -> None:
    """The idempotency key is made of them, so one set of positions has one form."""
    assert positions_of([]) == range(0)
    assert positions_of([range(3, 5), range(5, 9)]) == range(3, 9)
    assert positions_of([range(3, 5), range(7, 9)]) == array("q", [3, 4, 7, 8])
