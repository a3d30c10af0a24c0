"""Which known word somebody may have meant."""

from __future__ import annotations

from haulier.model.closest import closest


def test_the_word_that_is_most_alike_is_given_alone() -> None:
    assert closest("jsonn", ("form", "json", "ndjson")) == ["json"]
    assert closest("xyz", ("form", "json")) == []
    assert closest("form", iter(["from", "form"])) == ["form"]


def test_several_are_given_where_they_are_asked_for() -> None:
    assert closest("form", ["from", "json", "form", "forms"], most=2) == ["form", "forms"]


def test_how_alike_they_must_be_is_said() -> None:
    assert closest("record", ["recorded"]) == ["recorded"]
    assert closest("record", ["recorded"], 0.9) == []
