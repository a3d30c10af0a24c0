"""Of all that have a key in common, one at a time and in the order they came."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from haulier.delivery.ordering import Ordering


def test_the_next_one_goes_once_the_first_has_left() -> None:
    ordering: Ordering[str] = Ordering()
    assert [ordering.enter("a", "a1"), ordering.enter("a", "a2"), ordering.enter("b", "b1")] == [
        True,
        False,
        True,
    ]
    assert ordering.kept == 1
    assert ordering.leave("a") == "a2"
    assert ordering.kept == 0
    assert ordering.leave("b") is None
    assert ordering.leave("a") is None
    assert ordering.enter("a", "a3")


def test_parts_take_the_place_of_what_they_are_parts_of() -> None:
    ordering: Ordering[str] = Ordering()
    ordering.enter("a", "whole")
    ordering.enter("a", "later")
    ordering.follow("a", "left")
    ordering.follow("a", "right")
    assert ordering.kept == 3
    assert ordering.leave("a") == "left"
    ordering.follow("a", "left half")
    ordering.follow("a", "right half")
    left = [ordering.leave("a") for _ in range(5)]
    assert left == ["left half", "right half", "right", "later", None]
    assert ordering.kept == 0


@given(st.lists(st.sampled_from("abc"), max_size=40), st.randoms())
def test_whatever_leaves_when_each_key_keeps_its_order(keys: list[str], chance: object) -> None:
    ordering: Ordering[int] = Ordering()
    going = [number for number, key in enumerate(keys) if ordering.enter(key, number)]
    gone: list[int] = []
    while going:
        number = going.pop(chance.randrange(len(going)))  # type: ignore[attr-defined]
        assert len({keys[one] for one in going} | {keys[number]}) == len(going) + 1
        gone.append(number)
        if (following := ordering.leave(keys[number])) is not None:
            going.append(following)
    for key in "abc":
        of_key = [number for number in gone if keys[number] == key]
        assert of_key == sorted(of_key)
    assert len(gone) == len(keys)
    assert ordering.kept == 0
