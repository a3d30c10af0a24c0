"""A base URL beside `stages` is for the calls of one connector; the setting and the option say the same."""

from __future__ import annotations

from typing import Any

import pytest

import haulier
from haulier.errors import ConfigurationError
from haulier.io.destinations import destination_from
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve_stages

EMULATOR = "http://127.0.0.1:8123"
IMAGGA = "https://api.imagga.com"
USAGE = {"name": "ask", "endpoint": "usage"}
NOTE = {"name": "note", "request": {"method": "POST", "url": "https://notes.example/v1/note"}}
BY_HAND = {"name": "hand", "request": {"method": "GET", "url": f"{IMAGGA}/v2/usage"}}


def leads_to(written: dict[str, Any], option: str | None = None) -> list[str]:
    """Origin and base path of each stage."""
    stages = resolve_stages(destination_from({"name": "d", **written}), load_registry(), base_url=option)
    return [one.address.origin + one.address.base_path for one in stages]


def both_ways(written: dict[str, Any]) -> list[str]:
    as_setting, as_option = leads_to({**written, "base_url": EMULATOR}), leads_to(written, EMULATOR)
    assert as_setting == as_option
    return as_setting


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({"connector": "imagga", "stages": [USAGE, NOTE]}, [EMULATOR, "https://notes.example"]),
        ({"connector": "imagga", "stages": [NOTE, USAGE]}, ["https://notes.example", EMULATOR]),
        ({"stages": [NOTE, {**USAGE, "connector": "imagga"}]}, ["https://notes.example", EMULATOR]),
        (
            {"connector": "imagga", "stages": [USAGE, {**NOTE, "connector": "http"}]},
            [EMULATOR, "https://notes.example"],
        ),
        # At the connector's origin the real service would be called where the emulator was meant.
        ({"connector": "imagga", "stages": [USAGE, BY_HAND]}, [EMULATOR, EMULATOR]),
        ({"connector": "imagga", "stages": [USAGE, {**BY_HAND, "connector": "http"}]}, [EMULATOR, EMULATOR]),
        (
            {"connector": "imagga", "stages": [USAGE, {**NOTE, "base_url": "http://127.0.0.1:9/gateway"}]},
            [EMULATOR, "http://127.0.0.1:9/gateway"],
        ),
        ({"connector": "imagga", "stages": [USAGE, {**BY_HAND, "base_url": None}]}, [EMULATOR, IMAGGA]),
    ],
)
def test_beside_stages_it_replaces_the_connectors_address_and_no_other(
    written: dict[str, Any], found: list[str]
) -> None:
    assert both_ways(written) == found


def test_the_option_stands_in_place_of_the_setting() -> None:
    written = {"connector": "imagga", "base_url": "http://127.0.0.1:9", "stages": [USAGE, NOTE]}
    assert leads_to(written, EMULATOR) == [EMULATOR, "https://notes.example"]


def test_of_a_single_call_it_replaces_the_address_however_that_is_written() -> None:
    assert both_ways({"request": NOTE["request"]}) == [EMULATOR]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            {"stages": [NOTE]},
            "destination `d`: base_url: http://127.0.0.1:8123 would replace nothing: beside `stages` it takes the "
            "place of the connector's own address, and each stage has a `base_url` of its own, or another connector, "
            "or a `request.url` that leads elsewhere; write it in the stage it is for",
        ),
        (
            {"connector": "imagga", "stages": [{**USAGE, "base_url": "http://127.0.0.1:9"}, NOTE]},
            "destination `d`: base_url: http://127.0.0.1:8123 would replace nothing: beside `stages` it takes the "
            "place of the connector's own address (imagga), and each stage has a `base_url` of its own, or another "
            "connector, or a `request.url` that leads elsewhere; write it in the stage it is for",
        ),
        (
            {
                "stages": [
                    {**USAGE, "connector": "imagga"},
                    {"name": "b", "connector": "other", "endpoint": "x"},
                ]
            },
            "destination `d`: base_url: the stages go to several connectors (imagga, other), and it is the address of "
            "one: write it in the stages it is for, or their `connector` beside `stages`",
        ),
    ],
)
def test_what_cannot_be_meant_is_a_problem_at_check_and_nothing_is_sent(
    written: dict[str, Any], said: str
) -> None:
    destination = {"name": "d", **written}
    assert haulier.check({**destination, "base_url": EMULATOR}).problems == (said,)
    assert haulier.check(destination, base_url=EMULATOR).problems == (said,)
    with pytest.raises(ConfigurationError) as raised:
        haulier.send(destination, [{"id": 1}], base_url=EMULATOR, state="state")
    assert str(raised.value) == said


def test_a_request_url_that_is_none_is_told_with_its_stage() -> None:
    wrong = {"name": "note", "request": {"method": "POST", "url": "ftp://notes.example/"}}
    problems = haulier.check(
        {"name": "d", "connector": "imagga", "base_url": EMULATOR, "stages": [USAGE, wrong]}
    ).problems
    assert problems == (
        "destination `d`, stage `note`: request.url: ftp://notes.example/ is no http(s) URL; write https://HOST/PATH, "
        "with expressions in path and query only",
    )
