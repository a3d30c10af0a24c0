"""The parameters of an endpoint template: constants go out as their service writes them, or are refused by name."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest
from tests.made import made_endpoint

from haulier.authoring import Parameter
from haulier.errors import DestinationError
from haulier.runs.resolving.parameters import check_parameters

TEMPLATE = made_endpoint(
    "find",
    method="GET",
    path="/find",
    parameters=(
        Parameter(name="count", place="query", description="How many.", type="integer", minimum=-1),
        Parameter(name="least", place="query", description="Least.", type="number", maximum=100),
        Parameter(name="sure", place="query", description="Sure.", type="boolean"),
        Parameter(
            name="language", place="query", description="Words.", choices=("en", "es", "no"), several=True
        ),
        Parameter(name="kind", place="query", description="Kind.", choices=("a", "b")),
        Parameter(name="area", place="query", description="Area.", pattern=r"\d+x\d+", example="5x3"),
        Parameter(name="words", place="body", description="Words.", type="list", choices=("a", "b")),
    ),
    content_formats=("json",),
)

BY_NOW = "Should the service take it by now, write `{param.x}` there and give it with --param x=..."

NEEDED = Parameter(
    name="order", place="path", description="Its number.", required=True, example="{record.order}"
)


def test_what_is_missing_is_told_with_its_description_as_a_part_of_the_sentence() -> None:
    template = made_endpoint("cancel", method="DELETE", path="/orders/{order}", parameters=(NEEDED,))
    with pytest.raises(DestinationError) as caught:
        check_parameters(template, {})
    assert str(caught.value) == (
        "params.order is missing: Its number; write a value or `{record.NAME}`, such as {record.order}"
    )


@pytest.mark.parametrize(
    ("name", "written", "sent"),
    [
        ("count", 10, 10),
        ("count", 1e9, 1_000_000_000),
        ("count", "10", "10"),
        ("count", "{record.n}", "{record.n}"),
        ("count", 10**30, 10**30),
        ("least", 7.5, 7.5),
        ("least", "1e1", "1e1"),
        ("language", "en, es", "en,es"),
        ("language", " no ", "no"),
        ("sure", True, True),
        ("sure", "false", "false"),
        ("area", "50x30", "50x30"),
        ("kind", " b", "b"),
        ("area", "{record.area}", "{record.area}"),
        ("words", ["a", " b"], ["a", "b"]),
    ],
)
def test_a_constant_goes_out_as_its_service_writes_it(name: str, written: Any, sent: Any) -> None:
    (found,) = check_parameters(TEMPLATE, {name: written}).values()
    assert (found, type(found)) == (sent, type(sent))


@pytest.mark.parametrize(
    ("name", "written", "words"),
    [
        ("count", "1e3", "params.count: '1e3' does not fit; write a whole number, in digits"),
        ("count", "1_000", "params.count: '1_000' does not fit; write a whole number, in digits"),
        ("count", " 5", "params.count: ' 5' does not fit; write a whole number, in digits"),
        ("count", 1.5, "params.count: 1.5 does not fit; write a whole number"),
        ("count", nan, "params.count: nan does not fit; write a whole number"),
        ("count", inf, "params.count: inf does not fit; write a whole number"),
        ("count", True, "params.count: True does not fit; write a whole number, in digits"),
        ("count", -2, f"params.count: -2 is less than -1, the least it takes. {BY_NOW}"),
        ("least", "nan", "params.least: 'nan' does not fit; write a number, in digits"),
        ("least", -inf, "params.least: -inf does not fit; write a number"),
        ("least", 101, f"params.least: 101 is more than 100, the most it takes. {BY_NOW}"),
        ("sure", "True", "params.sure: 'True' does not fit; write true or false"),
        ("sure", "yes", "params.sure: 'yes' does not fit; write true or false"),
        (
            "language",
            ["en", "es"],
            "params.language: a list does not fit; it takes text: join the words by commas",
        ),
        ("language", "en,,es", f"params.language: '' is not allowed; it takes: en, es, no. {BY_NOW}"),
        ("kind", "a,b", f"params.kind: 'a,b' is not allowed; it takes: a, b. {BY_NOW}"),
        ("kind", ["a"], "params.kind: a list does not fit; it takes text"),
        ("area", "50*30", f"params.area: '50*30' does not fit; write it as 5x3. {BY_NOW}"),
        ("area", "50x30\n", f"params.area: '50x30\\n' does not fit; write it as 5x3. {BY_NOW}"),
        ("language", "en,ess", f"params.language: 'ess' is not allowed; did you mean es? {BY_NOW}"),
    ],
)
def test_a_constant_that_does_not_fit_is_refused_by_name(name: str, written: Any, words: str) -> None:
    with pytest.raises(DestinationError) as refused:
        check_parameters(TEMPLATE, {name: written})
    assert str(refused.value) == words
