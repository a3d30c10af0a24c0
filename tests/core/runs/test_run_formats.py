"""Formats on real runs: what cannot be is refused before anything is sent; a record that does not fit goes alone."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.pipeline.made_records import needs_real_data, real_records
from tests.core.runs.carrying import counts, destination, rows
from tests.core.runs.wire import Wire

import haulier
from haulier.errors import ConfigurationError, DestinationError
from haulier.io.destinations import destination_from
from haulier.io.project import Project
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.by_template import pieces_by_template
from haulier.runs.resolving.formatting import with_compression

URL = "http://127.0.0.1:9"
PROPERTY = {"grouping": {"name": "property", "property_name": "rows"}}


@pytest.mark.parametrize(
    ("content_format", "written", "records", "good"),
    [
        ("csv", {"columns": ["a"]}, [{"a": 1}, {"b": 2}, {"a": 3}, {"a": [4]}, {"a": 5}], [0, 2, 4]),
        ("xml", {}, [{"a": "\0"}, {"a": 1}, {"a b": 1}, {"a": 2}, {"a": "\ufffe"}], [1, 3]),
        ("text", {"template": "<{record.a}>"}, [{"a": 0}, {}, {"a": 2}, {"a": None}, {"a": {}}], [0, 2]),
    ],
)
def test_a_record_of_a_batch_that_does_not_fit_is_rejected_alone(
    content_format: str,
    written: dict[str, Any],
    records: list[dict[str, Any]],
    good: list[int],
    folder: Path,
) -> None:
    with Wire() as wire:
        made = destination(
            wire.url,
            request={"content_format": content_format},
            format_settings=written,
            batching={"size": 5},
        )
        shown = haulier.preview(made, records)
        report = haulier.send(made, records, state="state")
        assert counts(report) == {"delivered": len(good), "rejected": 5 - len(good)}
        (sample,), (asked,) = shown.samples, wire.asked
        assert (sample.positions, asked.body) == (tuple(good), sample.body)
        refused = rows(Path("state"), "select position, reason from record order by position")
        assert [position for position, _ in refused] == [number for number in range(5) if number not in good]
        assert all("a" in reason for _, reason in refused)
        told = [reason for _, reason in refused]
        assert [reason.partition(": ")[0] for reason in told] == [
            f"record {position}" for position, _ in refused
        ]
        assert [one.told for one in shown.rejected] == told
        assert list(haulier.plan(made, records).first_rejections) == told


def test_a_batch_in_which_no_record_fits_is_no_request(folder: Path) -> None:
    with Wire() as wire:
        made = destination(wire.url, request={"content_format": "xml"}, batching={"size": 2})
        report = haulier.send(made, [{"": 1}, {"1": 1}, {"a": 1}], state="state")
        assert counts(report) == {"delivered": 1, "rejected": 2}
        assert [b"<a>1</a>" in asked.body for asked in wire.asked] == [True]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "rows in a property": (
        {"request": {"content_format": "csv"}, "batching": PROPERTY},
        "batching: content format csv carries a list of records and nothing around them: choose the grouping array",
    ),
    "template missing": (
        {"request": {"content_format": "text"}},
        "format_settings of text.template: is missing",
    ),
    "template unknown": (
        {"request": {"content_format": "text"}, "format_settings": {"template": "a {recrd.x}"}},
        "format_settings.template: `{recrd.x}` at column 3 is not known; write",
    ),
    "template open": (
        {"request": {"content_format": "text"}, "format_settings": {"template": "{"}},
        "format_settings.template: `{` at column 1 is no expression",
    ),
    "param missing": (
        {"request": {"content_format": "text"}, "format_settings": {"template": "{param.day}"}},
        "format_settings.template: {param.day} was not given; add --param day=VALUE",
    ),
    "element name": (
        {"request": {"content_format": "xml"}, "format_settings": {"root": "a b"}},
        "format_settings of xml.root: 'a b' is no element name",
    ),
    "content type": (
        {"request": {"headers": "content-type:text/x"}},
        "headers: Content-Type is set by the content format json; write `format_settings: {media_type: ...}` instead",
    ),
    "content encoding": ({"headers": "Content-Encoding:br"}, "write `compress: gzip`"),
    "key": ({"headers": "Idempotency-Key:1"}, "write `idempotency_key: false` in `request`"),
    "no body for records": (
        {"request": {"content_format": "none"}},
        "content_format: none sends no body, but records are to stand in it; choose another format, or write "
        "`attributes: none` in `request`",
    ),
    "no body for a value": (
        {"request": {"content_format": "none", "attributes": "none", "body": {"n": 1}}},
        "content_format: none sends no body, but n is to stand in it; choose another format, or leave that out",
    ),
    "compressed nothing": (
        {"request": {"method": "GET"}, "compress": "gzip"},
        "compress: this request has no body; leave it out",
    ),
    "compressed files": (
        {
            "request": {"content_format": "bytes", "attributes": "none", "files": {"f": "{record.f}"}},
            "files_root": ".",
            "compress": "gzip",
        },
        "compress: this request streams files, which go out as they are; leave it out",
    ),
    "compressed otherwise": ({"compress": "br"}, "`compress` is \"br\" and must be 'gzip'"),
    "no type": ({"types": {"a": "date"}}, "`types.a` is \"date\" and must be 'text', 'integer', 'number'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_is_refused_at_check_with_its_place(kind: str) -> None:
    written, words = WRONG[kind]
    try:
        problems: tuple[str, ...] = haulier.check(destination(URL, **written)).problems
    except ConfigurationError as error:
        problems = (str(error),)
    assert words in " ".join(problems)


def test_a_parameter_of_an_endpoint_is_not_lost_by_a_format_without_body() -> None:
    made = {"name": "d", "connector": "imagga", "endpoint": "extract-colors-file", "content_format": "none"}
    (told,) = haulier.check({**made, "params": {"image_base64": "{record.b}"}}).problems
    assert told == (
        "destination `d`: content_format: none sends no body, but image_base64 is to stand in it; choose another "
        "format, or leave that out"
    )


def test_bodies_are_compressed_the_same_way_always_and_hashed_as_they_go_out(folder: Path) -> None:
    records = [{"id": number, "text": "x" * 100} for number in range(4)]
    with Wire() as wire:
        made = destination(wire.url, batching={"size": 2}, compress="gzip")
        assert haulier.send(made, records, state="state").ok
        assert haulier.send(made, records, state="state", again=True).ok
        by_body = sorted(asked.body for asked in wire.asked)
        assert by_body[0] == by_body[1] != by_body[2] == by_body[3]
        assert {asked.header("content-encoding") for asked in wire.asked} == {"gzip"}
        sent = sorted((json.loads(gzip.decompress(body)) for body in by_body[::2]), key=str)
        assert [*sent[0], *sent[1]] == records
        # The time of compressing stands nowhere in it: https://www.rfc-editor.org/rfc/rfc1952#section-2.3
        assert {body[4:8] for body in by_body} == {b"\0\0\0\0"}
        stored = {digest.hex() for (digest,) in rows(Path("state"), "select sha256 from request")}
        assert stored == {sha256(body).hexdigest() for body in by_body}
    assert haulier.preview(made, records).warnings == ()


def test_whether_compressed_bodies_are_taken_is_asked_until_a_run_has_delivered_some(folder: Path) -> None:
    told = "compress: whether this request takes compressed bodies is not known; try it with `haulier test`"
    Project.init(folder)
    with Wire() as wire:
        made = destination(wire.url, compress="gzip")
        assert haulier.check(made).warnings == (told,)
        assert haulier.send({**made, "compress": None}, [{"id": 1}]).ok
        assert haulier.check(made).warnings == (told,)
        assert haulier.send(made, [{"id": 1}], run_key="compressed").ok
        assert haulier.check({**made, "limits": {"max_in_flight": 3}}).warnings == ()
        assert haulier.check({**made, "request": {**made["request"], "url": f"{wire.url}/z"}}).warnings == (
            told,
        )


@pytest.mark.parametrize(
    ("template", "settings", "told"),
    [
        ('{{"v": {record.v}, "of": [{record.w}]}}', {}, []),
        ('{{"v": "{record.v}", "w": {record.w}}}', {}, ["{record.v}"]),
        (
            '{{"say \\"": "dear {record.v}, {record.w} or {record.v}: {run.id}"}}',
            {},
            ["{record.v}", "{record.w}"],
        ),
        ("{record.v}", {"begin": '{"all": "'}, ["{record.v}"]),
        ('"{record.v}"', {"escape": "none"}, []),
        ("'{record.v}'", {}, []),
    ],
)
def test_a_value_that_would_have_quotes_twice_is_warned_of(
    template: str, settings: dict[str, Any], told: list[str]
) -> None:
    written = {"template": template, "escape": "json", **settings}
    made = destination(URL, request={"content_format": "text"}, format_settings=written)
    assert haulier.check(made).warnings == tuple(
        f"format_settings.template: {one} stands between quotes, and `escape: json` gives a text quotes of its own; "
        "take those around it out, or make what stands between them one attribute, with `add`"
        for one in told
    )


def test_the_way_out_of_quotes_that_stand_twice_is_one() -> None:
    made = destination(
        URL,
        request={"content_format": "text"},
        format_settings={"template": '{{"v": {record.told}}}', "escape": "json"},
        add={"told": 'dear {record.v}, "{record.w}"'},
    )
    (sample,) = haulier.preview(made, [{"v": 'a"b', "w": "\n"}]).samples
    assert isinstance(sample.body, bytes)
    assert json.loads(sample.body) == {"v": 'dear a"b, "\n"'}


@pytest.mark.parametrize(("takes", "told"), [(True, False), (None, True), (False, None)])
def test_an_endpoint_says_whether_it_takes_compressed_bodies(takes: bool | None, told: bool | None) -> None:
    made = destination_from(
        {"name": "d", "connector": "imagga", "endpoint": "tag-feedback", "compress": "gzip"}
    )
    registry = load_registry()
    template = registry.endpoint("imagga", "tag-feedback").model_copy(update={"gzip": takes})
    pieces = pieces_by_template(made, registry.connector("imagga"), template, None)
    if told is None:
        with pytest.raises(DestinationError) as refused:
            with_compression(made, pieces, registry.encoder("json"))
        assert (
            str(refused.value) == "compress: endpoint tag-feedback takes no compressed bodies; leave it out"
        )
    else:
        assert bool(with_compression(made, pieces, registry.encoder("json")).untried) is told


def test_a_name_that_no_record_has_is_told_once_in_preview_plan_and_report(folder: Path) -> None:
    words = "exclude: no record so far has the attribute `titel`; is it spelt so?"
    with Wire() as wire:
        made = destination(wire.url, exclude=["titel", "id"])
        records = [{"id": number, "title": "x"} for number in range(600)]
        assert haulier.preview(made, records).warnings == (words,)
        assert haulier.plan(made, records).warnings == (words,)
        assert haulier.send(made, records[:3], state="state").note == words


def test_attributes_that_go_into_the_query_are_changed_as_those_of_a_body(folder: Path) -> None:
    made = destination(
        URL,
        target="/{record.region}",
        request={"method": "GET"},
        types={"n": "integer"},
        include=["n", "o.x"],
        rename={"n": "count"},
        add={"source": "a b"},
        exclude=["o"],
    )
    with pytest.raises(ConfigurationError, match="include: `o` is excluded as well"):
        haulier.preview({**made, "include": ["o"]}, [{}])
    (sample,) = haulier.preview(made, [{"region": "eu", "n": "12", "o": {"x": 1}, "p": 2}]).samples
    assert sample.target == "/eu?count=12&source=a%20b"


@pytest.mark.parametrize(
    ("item", "shaped", "told"),
    [
        ("a", {"exclude": ["a"]}, "`a` is not sent, as `exclude` names `a`; leave out one of the two"),
        (
            ["b", "o.x"],
            {"exclude": ["o"]},
            "`o.x` is not sent, as `exclude` names `o`; leave out one of the two",
        ),
        (
            "a",
            {"include": ["b", "o.x"]},
            "`a` is not sent, as `include` does not name it; name it there, or leave `include` out",
        ),
    ],
)
def test_an_item_of_what_no_record_sends_is_refused_before_any_is_read(
    item: str | list[str], shaped: dict[str, Any], told: str
) -> None:
    made = destination("http://127.0.0.1:9", batching={"item": item}, **shaped)
    assert haulier.check(made).problems == (f"destination `d`: batching.item: {told}",)


@pytest.mark.parametrize(
    ("item", "shaped", "sent"),
    [
        ("a", {"exclude": ["a"], "add": {"a": "{record.b}"}}, b"[2]"),
        ("b", {"exclude": ["b"], "rename": {"a": "b"}}, b"[1]"),
        ("o", {"exclude": ["o.x"]}, b'[{"y":4}]'),
        ("o.x", {"include": ["o"]}, b"[3]"),
        ("o", {"include": ["o.x"]}, b'[{"x":3}]'),
    ],
)
def test_an_item_of_what_is_sent_under_its_name_is_taken(
    item: str, shaped: dict[str, Any], sent: bytes
) -> None:
    made = destination("http://127.0.0.1:9", batching={"item": item}, **shaped)
    assert haulier.check(made).problems == ()
    (sample,) = haulier.preview(made, [{"a": 1, "b": 2, "o": {"x": 3, "y": 4}}]).samples
    assert sample.body == sent


def test_the_facts_of_a_run_stand_in_a_template_and_are_marked_as_varying(folder: Path) -> None:
    with Wire() as wire:
        template = "{param.day} {run.id} {{x}} {record.a}"
        made = destination(
            wire.url, request={"content_format": "text"}, format_settings={"template": template}
        )
        (sample,) = haulier.preview(made, [{"a": "{run.id}"}], params={"day": "{record.a}"}).samples
        assert sample.body == b"{record.a} " + b"0" * 32 + b" {x} {run.id}"
        assert "what uses {now} or {run.id}" in sample.varies
        report = haulier.send(made, [{"a": "{run.id}"}], params={"day": "{record.a}"}, state="state")
        assert wire.asked[0].body == f"{{record.a}} {report.run_id} {{x}} {{run.id}}".encode()


FROM_PYTHON = {
    "d": Decimal("1.10"),
    "n": 10**40,
    "day": date(2026, 1, 2),
    "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "b": b"\x00\xff",
    "t": True,
}
AS_TEXT = ["1.10", "1" + "0" * 40, "2026-01-02", "2026-01-02T03:04:05Z", "AP8=", "true"]


@pytest.mark.parametrize(
    ("content_format", "decode"),
    [
        ("json", lambda body: json.loads(body).values()),
        ("ndjson", lambda body: json.loads(body).values()),
        ("form", lambda body: dict(parse_qsl(body.decode(), strict_parsing=True)).values()),
        ("csv", lambda body: _rows_of_csv(body)[0].values()),
        ("xml", lambda body: [one.text for one in ET.fromstring(body)]),
        ("text", lambda body: body.decode().split(" ")),
        (
            "multipart",
            lambda body: [
                part.rpartition(b"\r\n\r\n")[2][:-2].decode() for part in body.split(b"--haulier-")[1:-1]
            ],
        ),
    ],
)
def test_what_python_brings_is_said_by_the_same_rules_in_every_format(
    content_format: str, decode: Any
) -> None:
    template = {"template": " ".join(f"{{record.{name}}}" for name in FROM_PYTHON)}
    made = destination(
        URL,
        request={"content_format": content_format},
        format_settings=template if content_format == "text" else {},
    )
    (sample,) = haulier.preview(made, [FROM_PYTHON]).samples
    assert [str(one).lower() if one is True else str(one) for one in decode(sample.body)] == AS_TEXT


# -- nothing is lost on the way --------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return msgspec.json.encode(
            value
        ).decode()  # 1e16 where Python writes 1e+16: what a record from Python is read as
    return "" if value is None else json.dumps(value)


def _rows_of_csv(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline=""), strict=True))


def _rows_of_xml(body: bytes) -> list[dict[str, str]]:
    return [{one.get("name", one.tag): one.text or "" for one in each} for each in ET.fromstring(body)]


# How a body of each format is read back, and what of a record it says: (settings, decode, expected of a record).
READ_BACK: dict[str, tuple[dict[str, Any], Callable[[bytes], list[Any]], Callable[[dict[str, Any]], Any]]] = {
    "json": ({}, json.loads, lambda one: one),
    "ndjson": ({}, lambda body: [json.loads(line) for line in body.split(b"\n")[:-1]], lambda one: one),
    "csv": (
        {"nested": "json", "columns": ["a", "b", "n"]},
        _rows_of_csv,
        lambda one: {name: _text(value) for name, value in one.items()},
    ),
    "xml": (
        {"null": "empty"},
        _rows_of_xml,
        lambda one: {name: _text(value) for name, value in one.items()},
    ),
    "text": (
        {
            "template": '{{"a":{record.a},"b":{record.b},"n":{record.n}}}',
            "escape": "json",
            "separator": ",",
            "begin": "[",
            "end": "]",
        },
        json.loads,
        lambda one: one,
    ),
}
printable = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=6
)
flat_records = st.fixed_dictionaries(
    {
        "a": printable,
        "b": st.none() | st.booleans() | printable,
        "n": st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False),
    }
)


@pytest.mark.parametrize("content_format", READ_BACK)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(flat_records, min_size=1, max_size=9),
    size=st.integers(1, 4),
    most=st.sampled_from([100, 400]),
)
def test_every_record_arrives_once_and_in_order(
    content_format: str, records: Any, size: int, most: int
) -> None:
    """In bodies that are no larger than they may be, unless one record alone makes one."""
    chosen, decode, expected = READ_BACK[content_format]
    made = destination(
        URL,
        request={"content_format": content_format},
        format_settings=chosen,
        batching={"size": size, "max_bytes": most},
    )
    shown = haulier.preview(made, records, n=100)
    assert shown.refused == 0
    assert all(sample.length <= most or len(sample.positions) == 1 for sample in shown.samples)
    assert [position for sample in shown.samples for position in sample.positions] == list(
        range(len(records))
    )
    assert [one for sample in shown.samples for one in decode(sample.body)] == list(map(expected, records))  # type: ignore[arg-type]


@needs_real_data
@pytest.mark.parametrize("content_format", ["json", "ndjson", "csv", "xml"])
@pytest.mark.parametrize("name", ["airports.csv", "movies.jsonl", "earthquakes.jsonl"])
def test_real_records_arrive_once_and_in_order(content_format: str, name: str) -> None:
    path = Path(os.environ["HAULIER_TEST_DATA"], name)
    real = real_records(name, most=10**9)
    names = list(dict.fromkeys(key for one in real for key in one))
    chosen = {
        "csv": {"nested": "json", "columns": names, "missing": "fill"},
        "xml": {"null": "empty", "names": "field", "lists": "wrap"},
    }.get(content_format, {})
    made = destination(
        URL, request={"content_format": content_format}, format_settings=chosen, batching={"size": 97}
    )
    shown = haulier.preview(made, path, n=10**9)
    assert [position for sample in shown.samples for position in sample.positions] == list(range(len(real)))
    decode = READ_BACK[content_format][1]
    found = [one for sample in shown.samples for one in decode(sample.body)]  # type: ignore[arg-type]
    if content_format in ("json", "ndjson"):
        assert found == real
        return
    assert len(found) == len(real)
    for got, one in zip(found, real, strict=True):
        flat = {key: _text(value) for key, value in one.items() if not isinstance(value, dict | list)}
        assert {key: got[key] for key in flat} == flat
