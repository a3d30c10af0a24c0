"""What records give for a parameter is held against what it takes: certain bounds refuse, others are told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, rows, within
from tests.core.runs.wire import Wire
from tests.made import made_endpoint

import haulier
from haulier.authoring import Parameter, hookimpl
from haulier.errors import DestinationError
from haulier.io.destinations import destination_from
from haulier.model.block import Block
from haulier.model.connector import Connector, EndpointTemplate
from haulier.model.expression import RunFacts
from haulier.pipeline.planner import Planned
from haulier.plugins import http
from haulier.plugins.loading import load
from haulier.plugins.registry import Registry
from haulier.runs.resolving.builtins import Builtins
from haulier.runs.resolving.resolve import resolve

SURE: dict[str, Any] = {"description": "Sure.", "certain": True}
PARAMETERS = (
    Parameter(name="shelf", place="path", required=True, pattern="[A-Z][0-9]+", example="A1", **SURE),
    Parameter(name="share", place="query", type="number", minimum=0, maximum=1, **SURE),
    Parameter(name="langs", place="query", choices=("en", "es"), several=True, **SURE),
    Parameter(name="level", place="header", type="integer", minimum=1, **SURE),
    Parameter(name="kind", place="body", choices=("small", "large"), **SURE),
    Parameter(name="hint", place="query", type="integer", maximum=9, description="Not sure."),
)


class Plugin:
    @hookimpl
    def haulier_connectors(self) -> list[Connector]:
        return [Connector(name="acme", title="Acme", description="Shelves.", origin="http://127.0.0.1:9")]

    @hookimpl
    def haulier_endpoint_templates(self) -> list[EndpointTemplate]:
        return [
            made_endpoint(
                "put",
                method="POST",
                path="/shelves/{shelf}",
                parameters=PARAMETERS,
                content_formats=("json",),
            )
        ]


def planned(
    lines: list[bytes], *, given: dict[str, str] | None = None, **params: str
) -> tuple[Planned, tuple[str, ...]]:
    """What a plan makes of these lines, and what it remarks."""
    written = {"name": "d", "connector": "acme", "endpoint": "put", "params": {"shelf": "A1", **params}}
    registry = Registry.of(load([Builtins(), http, Plugin()], allowed=""))
    planner = resolve(destination_from(written), registry).planner(RunFacts("r", 0.0, given or {}))
    found = planner.feed(Block(first=0, lines=lines))
    return found, planner.remarks()


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("shelf", b'"a1"', "'a1' does not fit; write it as A1"),
        ("share", b"1.5", "'1.5' is more than 1, the most it takes"),
        ("share", b"-1e999", "'-1e999' is less than 0, the least it takes"),
        ("share", b'"half"', "'half' is no number"),
        ("langs", b'"en, ess"', "'en, ess' is not allowed; did you mean es?"),
        ("level", b"0", "'0' is less than 1, the least it takes"),
        ("kind", b'"huge"', "'huge' is not allowed; it takes: small, large"),
        ("kind", b'"' + b"x" * 99 + b'"', f"'{'x' * 60}...' is not allowed; it takes: small, large"),
    ],
)
def test_a_value_outside_of_certain_bounds_rejects_that_record_before_it_is_sent(
    name: str, value: bytes, why: str
) -> None:
    good = {"shelf": b'"B22"', "share": b"0.5", "langs": b'"es,en"', "level": b'"3"', "kind": b'"small"'}
    lines = [
        b'{"v":%b}' % one for one in (good[name], value, good[name], b"null" if name != "shelf" else b'"C3"')
    ]
    found, remarks = planned(lines, **{name: "{record.v}"})
    assert [(one.position, one.reason) for one in found.rejected] == [(1, f"record 1: params.{name}: {why}")]
    assert [tuple(request.positions) for request in found.requests] == [(0,), (2,), (3,)]
    assert remarks == ()


def test_what_several_attributes_make_is_held_against_the_bounds_as_a_whole() -> None:
    lines = [b'{"row":"A","at":1}', b'{"row":"AA","at":1}']
    found, _ = planned(lines, shelf="{record.row}{record.at}")
    assert [one.reason for one in found.rejected] == [
        "record 1: params.shelf: 'AA1' does not fit; write it as A1"
    ]


def test_a_value_outside_of_bounds_that_are_not_certain_is_sent_and_told_of_once() -> None:
    found, remarks = planned([b'{"n":%d}' % number for number in range(8, 12)], hint="{record.n}")
    assert found.rejected == []
    assert [request.url.partition("?")[2] for request in found.requests] == [
        "hint=8",
        "hint=9",
        "hint=10",
        "hint=11",
    ]
    assert remarks == (
        "params.hint: the service may refuse the value of 2 records, which are sent; the first: '10' is more than "
        "9, the most it takes",
    )


def test_a_constant_outside_of_bounds_is_refused_with_a_way_out_where_they_are_not_certain() -> None:
    refused = []
    for params in ({"share": "2"}, {"hint": "10"}):
        with pytest.raises(DestinationError) as raised:
            planned([b"{}"], **params)
        refused.append(str(raised.value))
    assert refused == [
        "destination `d`: params.share: 2 is more than 1, the most it takes",
        "destination `d`: params.hint: 10 is more than 9, the most it takes. Should the service take it by now, write "
        "`{param.x}` there and give it with --param x=...",
    ]
    found, _ = planned([b"{}"], hint="{param.x}", given={"x": "10"})
    assert [request.url.partition("?")[2] for request in found.requests] == ["hint=10"]


def test_what_is_given_on_the_command_line_is_held_against_certain_bounds_before_the_run() -> None:
    assert planned([b"{}"], share="{param.s}", given={"s": "1"})[0].rejected == []
    with pytest.raises(DestinationError) as raised:
        planned([b"{}"], share="{param.s}", given={"s": "2"})
    assert str(raised.value) == "destination `d`: params.share: '2' is more than 1, the most it takes"


def test_preview_run_and_report_say_the_same_of_imaggas_bounds() -> None:
    """How much of a picture a crop keeps is 0 to 1 for certain; which languages there are is not."""
    with Wire() as wire:
        crop = {
            "name": "d",
            "connector": "imagga",
            "credential": "none",
            "base_url": wire.url,
            "endpoint": "crop-image",
            "params": {"image_url": "{record.u}", "rect_percentage": "{record.part}"},
        }
        records = [{"u": "http://x/1", "part": 0.5}, {"u": "http://x/2", "part": 50}]
        why = "record 1: params.rect_percentage: '50' is more than 1, the most it takes"
        assert [one.reason for one in haulier.preview(crop, records).rejected] == [why]
        report = within(60, lambda: haulier.send(crop, records, state="state"))
        assert counts(report) == {"delivered": 1, "rejected": 1}
        assert rows(Path("state"), "select reason from record") == [(why,)]
        tag = {
            **crop,
            "name": "t",
            "endpoint": "tag-image",
            "params": {"image_url": "{record.u}", "language": "{record.l}"},
        }
        remark = "params.language: the service may refuse the value of 1 record, which is sent; the first: 'xx' is "
        spoken = [{"u": "http://x/1", "l": "en"}, {"u": "http://x/2", "l": "xx"}]
        assert any(one.startswith(remark) for one in haulier.preview(tag, spoken).warnings)
        sent = within(60, lambda: haulier.send(tag, spoken, state="other"))
        assert counts(sent) == {"delivered": 2}
        assert sent.note.startswith(remark)
