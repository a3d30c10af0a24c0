"""Rules of addresses: what is rendered once, what per record, and what no record can do to them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haulier.errors import DestinationError, ExpressionError
from haulier.model.expression import Fault, RunFacts, parse
from haulier.model.headers import HeaderTemplate, parse_pairs
from haulier.model.url import QueryItem, split_written, template_path
from haulier.pipeline.address import Address, AddressTemplate, compile_address, with_attributes

FACTS = RunFacts("run-7", 1_795_341_600.0, {"lang": "nb no", "up": "..", "line": "a\nb", "half": "\udcff"})
ORIGIN = "https://api.imagga.com"
shallow = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def template(path: str = "/tags", **more: Any) -> AddressTemplate:
    """A template at /v2 whose path values come from the record's attribute of the same name."""
    names = ("id", "part")
    values = {name: parse(f"{{record.{name}}}", place=f"params.{name}") for name in names}
    pieces = template_path(path, values, place="endpoint")
    return AddressTemplate(
        **{"method": "GET", "origin": ORIGIN, "base_path": "/v2", "path": pieces, **more},
    )


def item(name: str, written: str, *, required: bool = True) -> QueryItem:
    return QueryItem(name, parse(written, place=f"params.{name}"), required)


def manual(url: str, headers: str = "") -> AddressTemplate:
    written = split_written(url)
    return AddressTemplate(
        method="POST",
        origin=written.origin,
        path=written.path,
        query=written.query,
        headers=parse_pairs(headers),
    )


def addresses(made: AddressTemplate, *records: dict[str, Any]) -> list[Address | Fault]:
    """The addresses of a block, which must be the same from JSON text and from decoded values."""
    compiled = compile_address(made, FACTS)
    found = compiled.block(records)
    assert found == compiled.block([shallow(json.dumps(record)) for record in records])
    return found


def reasons(made: AddressTemplate, *records: dict[str, Any]) -> list[str]:
    return [found.reason if isinstance(found, Fault) else found.url for found in addresses(made, *records)]


def test_an_address_without_records_is_rendered_once() -> None:
    made = manual(
        "https://h/{run.id}/x?day={now:%Y-%m-%d}&lang={param.lang}&a=%2f", "X-Run:{run.id},Accept:a/b"
    )
    compiled = compile_address(made, FACTS)
    address = Address(
        "https://h/run-7/x?day=2026-11-22&lang=nb%20no&a=%2F", (("X-Run", "run-7"), ("Accept", "a/b"))
    )
    assert compiled.constant == address
    assert not compiled.needs_record
    assert compiled.record_paths == ()
    assert [found is compiled.constant for found in compiled.block([{}, {}])] == [True, True]
    assert made.varies


def test_an_address_tells_which_attributes_it_reads() -> None:
    made = manual("https://h/{record.a.b}?q={record.c}&d", "X:{record.e}-{run.id}")
    compiled = compile_address(made, FACTS)
    assert compiled.constant is None
    assert compiled.needs_record
    assert compiled.record_paths == made.record_paths == (("a", "b"), ("c",), ("e",))
    assert not manual("https://h/x?{{a}}=1").varies


def test_pieces_go_where_they_were_put() -> None:
    made = template(
        "/uploads/{id}/x",
        query=(item("image_url", "{record.url}"), item("language", "no"), item("limit", "{record.n}")),
        headers=(HeaderTemplate("X-Id", parse("id {record.id}", place="p")),),
    )
    assert addresses(made, {"id": "i05/e1", "url": "http://h/a b?c=d&e", "n": 12345678901234567890123}) == [
        Address(
            "https://api.imagga.com/v2/uploads/i05%2Fe1/x"
            "?image_url=http%3A%2F%2Fh%2Fa%20b%3Fc%3Dd%26e&language=no&limit=12345678901234567890123",
            (("X-Id", "id i05/e1"),),
        )
    ]


def test_written_text_in_a_parameter_is_encoded_as_its_values_are() -> None:
    made = template(query=(item("q", "a&b={record.x}%41"),))
    assert reasons(made, {"x": "&"}) == ["https://api.imagga.com/v2/tags?q=a%26b%3D%26%2541"]


def test_written_text_in_a_url_stands_as_written_and_only_values_are_encoded() -> None:
    made = manual("https://h/a%2fb/{record.x}?q=%2{record.x}+{record.x}&flag")
    assert reasons(made, {"x": "e/&"}) == ["https://h/a%2Fb/e%2F%26?q=%252e%2F%26+e%2F%26&flag"]


def test_booleans_are_words_or_digits_as_the_service_reads_them() -> None:
    query = (item("verbose", "{record.v}"),)
    assert reasons(template(query=query), {"v": True}) == ["https://api.imagga.com/v2/tags?verbose=true"]
    assert reasons(template(query=query, booleans="digits"), {"v": True}) == [
        "https://api.imagga.com/v2/tags?verbose=1"
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "path parameter id is empty"),
        (".", "path parameter id is `.`"),
        ("..", "path parameter id is `..`"),
        ("%2e%2E", "path parameter id is `%2e%2E`"),
        ("../../admin", "path parameter id holds the dot segment `..`"),
        ("a\\b", "path parameter id holds a backslash"),
        ("a\r\nb", "path parameter id holds the control character U+000D"),
        (None, "path parameter id: attribute `id` is null"),
        (
            [1],
            "path parameter id: attribute `id` is a list; "
            "only text, finite numbers, true and false can be written out",
        ),
    ],
)
def test_a_value_that_would_leave_its_path_segment_is_a_fault_of_that_record(
    value: object, reason: str
) -> None:
    good = "https://api.imagga.com/v2/uploads/1"
    assert reasons(template("/uploads/{id}"), {"id": "1"}, {"id": value}, {"id": "1"}) == [good, reason, good]


def test_values_beside_each_other_cannot_make_a_dot_segment() -> None:
    for path in ("/{id}{part}", "/.{id}", "/%2e{id}", "/{id}."):
        for first in (".", "", "..", "%2e"):
            assert all(
                reason.startswith("path parameter")
                for reason in reasons(template(path), {"id": first, "part": "."})
            )


def test_a_missing_attribute_is_told_with_the_parameter_it_was_for() -> None:
    made = manual("https://h/{record.a}?q={record.b}", "X-C:{record.c}")
    assert reasons(made, {}, {"a": 1}, {"a": 1, "b": 2}) == [
        "path parameter {record.a}: attribute `a` is missing",
        "query parameter q: attribute `b` is missing",
        "header X-C: attribute `c` is missing",
    ]


def test_what_is_not_required_is_left_out_where_its_attribute_is_missing_or_null() -> None:
    query = (item("a", "{record.a}", required=False), item("b", "{record.b}-{record.c}", required=False))
    header = HeaderTemplate("X-A", parse("{record.a}", place="p"), required=False)
    base = "https://api.imagga.com/v2/tags"
    found = addresses(
        template(query=query, headers=(header,)),
        {},
        {"a": 1},
        {"b": "x", "c": ""},
        {"a": "", "b": 1, "c": None},
        {"a": None, "b": 1, "c": 2},
        {"a": [], "b": 1},
    )
    assert found == [
        Address(base),
        Address(f"{base}?a=1", (("X-A", "1"),)),
        Address(f"{base}?b=x-"),
        Address(f"{base}?a=", (("X-A", ""),)),
        Address(f"{base}?b=1-2"),
        Fault(
            "query parameter a: attribute `a` is a list; "
            "only text, finite numbers, true and false can be written out"
        ),
    ]
    mixed = template(query=(*query, item("z", "1"), QueryItem("flag", None, False)))
    assert reasons(mixed, {}, {"a": 1}) == [f"{base}?z=1&flag", f"{base}?a=1&z=1&flag"]


def test_a_header_value_from_a_record_is_one_line_of_ascii() -> None:
    made = manual("https://h/x", "X-A:{record.a},X-B:b")
    assert addresses(made, {"a": " v "}, {"a": "x\r\nEvil: 1"}, {"a": "é"}, {"a": ""}) == [
        Address("https://h/x", (("X-A", "v"), ("X-B", "b"))),
        Fault("header X-A holds a line break (U+000D), which would begin another header"),
        Fault("header X-A holds `é` (U+00E9); a header takes ASCII only"),
        Address("https://h/x", (("X-A", ""), ("X-B", "b"))),
    ]


@pytest.mark.parametrize(
    ("url", "headers", "message"),
    [
        ("https://h/{param.up}/x", "", "request.url: path parameter {param.up} is `..`; write another value"),
        (
            "https://h/x",
            "X:{param.line}",
            "headers.X: header X holds a line break (U+000A), which would begin another header; "
            "write another value",
        ),
        (
            "https://h/x?q={param.half}",
            "",
            "request.url: {param.half} holds half a surrogate pair",
        ),
        (
            "https://h/{param.half}",
            "",
            "request.url: path parameter {param.half} holds half a surrogate pair; write another value",
        ),
        ("https://h/{param.gone}", "", "request.url: {param.gone} was not given; add --param gone=VALUE"),
    ],
)
def test_a_bad_value_from_the_command_line_is_refused_before_any_record(
    url: str, headers: str, message: str
) -> None:
    for more in ("", "&r={record.r}" if "?" in url else "?r={record.r}"):
        with pytest.raises((DestinationError, ExpressionError)) as caught:
            compile_address(manual(url + more, headers), FACTS)
        assert str(caught.value) == message


def test_a_base_path_that_holds_what_no_url_may_hold_never_goes_out() -> None:
    made = AddressTemplate(method="GET", origin=ORIGIN, base_path="/v 2", path=("/x y",))
    with pytest.raises(DestinationError) as caught:
        compile_address(made, FACTS)
    assert str(caught.value) == f"the address at {ORIGIN}: the address holds a character that no URL may hold"


def test_equal_neighbours_share_one_address() -> None:
    found = compile_address(template("/uploads/{id}"), FACTS).block([{"id": 1}, {"id": "1"}, {"id": 2}])
    assert found[0] is found[1]
    assert len(set(found)) == 2


def test_attributes_become_query_parameters_in_their_order() -> None:
    record = {"url": "http://h/?a=b&c", "n": 1, "ok": True, "no": None, "": "e", "a b": "é"}
    base = Address("https://h/x", (("A", "b"),))
    expected = "url=http%3A%2F%2Fh%2F%3Fa%3Db%26c&n=1&ok={}&=e&a%20b=%C3%A9"
    for given_record in (record, shallow(json.dumps(record))):
        assert with_attributes(base, given_record) == Address(
            f"https://h/x?{expected.format('true')}", base.headers
        )
        assert with_attributes(base, given_record, "digits") == Address(
            f"https://h/x?{expected.format('1')}", base.headers
        )
    assert with_attributes(Address("https://h/x?q=1"), {"a": 1}) == Address("https://h/x?q=1&a=1")
    assert with_attributes(base, {"no": None}) is base


def test_attributes_that_cannot_be_query_parameters_are_faults() -> None:
    address = Address("https://h/x?api%20key=1&q")
    assert with_attributes(address, {"tags": ["a"]}) == Fault(
        "attribute `tags` is a list; only text, finite numbers, true and false can be written out"
    )
    for name in ("api key", "q"):
        assert with_attributes(address, {name: "mine"}) == Fault(
            f"attribute `{name}` is a parameter of the address already; list it under `exclude`"
        )
    assert with_attributes(address, {"a": "\ud800"}) == Fault("attribute `a` holds half a surrogate pair")


TRICKY = st.sampled_from(
    [
        "",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        "/",
        "//",
        "\\",
        "..\\",
        "../..",
        "?",
        "#",
        "&",
        "=",
        "@",
        ":",
        "\r\n",
        "\0",
        "https://evil",
        "//evil",
        "@evil",
        ":8080",
        "%",
        "%zz",
        "%2f..%2f",
        "。",
        "\u2024",
        "\uff0e",
        "{record.id}",
    ]
)
TEXT = st.lists(TRICKY | st.text(max_size=5), max_size=4).map("".join)
VALUE = (
    TEXT | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False) | st.lists(st.integers())
)
RECORD = st.fixed_dictionaries({}, optional={"id": VALUE, "part": VALUE, "q": VALUE, "h": VALUE})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RECORD, max_size=4))
def test_no_record_steers(records: list[dict[str, Any]]) -> None:
    """Scheme, host, port, base path, number of segments, names in query and headers are those written."""
    made = template(
        "/uploads/{id}{part}/x",
        query=(item("a", "{record.q}"), item("b", "<{record.q}>", required=False), item("c", "1")),
        headers=parse_pairs("X-H:{record.h},X-G:g"),
    )
    for record, found in zip(records, compile_address(made, FACTS).block(records), strict=True):
        if isinstance(found, Fault):
            continue
        url = urlsplit(found.url)
        assert (url.scheme, url.netloc, url.fragment) == ("https", "api.imagga.com", "")
        segments = url.path.split("/")
        assert segments[:3] == ["", "v2", "uploads"]
        assert segments[4:] == ["x"]
        assert unquote(segments[3]) not in {"", ".", ".."}
        assert not {".", ".."} & set(unquote(url.path).replace("\\", "/").split("/"))
        assert [name for name, _ in parse_qsl(url.query, keep_blank_values=True)] == ["a", "b", "c"]
        assert [name for name, _ in found.headers] == ["X-H", "X-G"]
        assert all(
            (char.isprintable() and char.isascii()) or char == "\t"
            for _, value in found.headers
            for char in value
        )
        if isinstance(record["q"], str):
            assert parse_qsl(url.query, keep_blank_values=True)[0] == ("a", record["q"])


@given(st.dictionaries(TEXT, VALUE, max_size=4))
def test_attributes_in_the_query_stay_in_the_query(record: dict[str, Any]) -> None:
    found = with_attributes(Address("https://h/v2/x?key=1"), record)
    if isinstance(found, Address):
        url = urlsplit(found.url)
        assert found.url.startswith("https://h/v2/x?key=1")
        assert url.fragment == ""
        given_names = [name for name, value in record.items() if value is not None]
        assert [name for name, _ in parse_qsl(url.query, keep_blank_values=True)] == ["key", *given_names]
