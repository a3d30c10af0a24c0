"""`xml` gives back, through ElementTree, every record it was given; nothing in a record makes markup."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.core.pipeline.made_records import (
    data_of,
    members,
    needs_real_data,
    real_records,
    records,
    refusal_of,
    texts,
)

from haulier.errors import DestinationError, RecordError
from haulier.pipeline.encoding.xml import XML, XmlSettings

# https://www.w3.org/TR/xml/#charsets
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def text_of(value: Any) -> str:
    if isinstance(value, str):
        return FORBIDDEN.sub("\ufffd", value)
    return "" if value is None else json.dumps(value)


def assert_says(element: ET.Element, value: Any) -> None:
    """The element says the value: members by name in order, elements of lists in order, else its text."""
    if isinstance(value, dict):
        pairs = [(name, inner) for name, inner in value.items() if inner is not None]
        assert len(element) == len(pairs)
        for child, (name, inner) in zip(element, pairs, strict=True):
            assert child.get("name", child.tag) == FORBIDDEN.sub("\ufffd", name)
            assert_says(child, inner)
    elif isinstance(value, list):
        assert [child.tag for child in element] == ["item"] * len(value)
        for child, inner in zip(element, value, strict=True):
            assert_says(child, inner)
    else:
        assert (len(element), element.text or "") == (0, text_of(value))


def test_a_batch_is_one_document_and_a_record_alone_is_one() -> None:
    batch = [members({"a": 1.10, "b": ["x", None], "c": {"d": True}}), members({"a": "<&>\"'\r\n"})]
    assert data_of(XML, batch) == HEAD + (
        b"<records>\n"
        b"<record><a>1.1</a><b><item>x</item><item></item></b><c><d>true</d></c></record>\n"
        b"<record><a>&lt;&amp;&gt;\"'&#13;\n</a></record>\n"
        b"</records>\n"
    )
    assert data_of(XML, members({"a": None, "b": 1}), record="p", declaration=False) == b"<p><b>1</b></p>\n"
    assert data_of(XML, members({"a": None, "b": False}), null="empty", booleans="digits") == (
        HEAD + b"<record><a></a><b>0</b></record>\n"
    )


@settings(deadline=None)
@given(st.lists(records, max_size=4))
def test_any_record_comes_back_in_order(batch: list[dict[str, Any]]) -> None:
    data = data_of(XML, [members(one) for one in batch], names="field", forbidden="replace")
    root = ET.fromstring(data)
    assert [child.tag for child in root] == ["record"] * len(batch)
    for child, one in zip(root, batch, strict=True):
        assert_says(child, one)


@settings(deadline=None)
@given(texts)
def test_a_name_becomes_an_element_only_if_every_parser_takes_it(name: str) -> None:
    try:
        data = data_of(XML, members({name: 1}))
    except RecordError as error:
        assert "is no element name" in str(error)  # noqa: PT017 - both outcomes are right, for different names
        return
    (child,) = ET.fromstring(data)
    assert (child.tag, child.text) == (name, "1")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "1a",
        "-a",
        "xml",
        "XmlA",
        "a:b",
        "a>b",
        "<a",
        "a/",
        "a\n",
        "\u0660",
        "a\u0000",
        "!DOCTYPE",
        "?x",
        "\U00010000",
    ],
)
def test_a_name_that_is_no_element_name_is_refused_or_an_attribute(name: str) -> None:
    assert refusal_of(XML, members({name: 1})).startswith(
        f"attribute {name!r} is no element name (letters, digits, `_`, `-` and `.` make one, a letter or `_` begins it"
    )
    (child,) = ET.fromstring(data_of(XML, members({name: 1}), names="field", forbidden="replace"))
    assert (child.tag, child.get("name")) == ("field", name.replace("\0", "\ufffd"))


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x0b", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_is_refused_or_replaced(character: str) -> None:
    assert refusal_of(XML, members({"a": f"x{character}"})) == (
        f"attribute 'a' holds U+{ord(character):04X} at character 1, which XML cannot hold: mend the text, or write "
        "`forbidden: replace`"
    )
    assert (
        ET.fromstring(data_of(XML, members({"a": f"x{character}"}), forbidden="replace"))[0].text == "x\ufffd"
    )


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]>',
        "&a;",
        "&#0;",
        "]]>",
        "<![CDATA[x]]>",
        "<!-- x -->",
        "<?x?>",
        "&lt;",
        "</record>",
    ],
)
def test_markup_in_a_record_is_text(text: str) -> None:
    data = data_of(
        XML, [members({"a": text, "b": [text], "c d": text})], names="field", namespace='http://x/"<&'
    )
    (record,) = ET.fromstring(data)
    assert record.tag == '{http://x/"<&}record'
    assert [record[0].text, record[1][0].text, record[2].text] == [text] * 3
    assert b"<!" not in data


def test_only_the_record_at_fault_is_named() -> None:
    batch = [members({"a": 1}), members({"a b": 1}), members({"a": "\0"}), members({"a": 2})]
    with pytest.raises(RecordError) as refused:
        XML.encode(batch, XmlSettings())
    assert [id(one) for one, _ in refused.value.each] == [id(batch[1]), id(batch[2])]


def test_records_in_a_property_stand_in_the_root() -> None:
    payload = {"source": "s", "rows": [members({"a": 1}), members({"a": 2})]}
    assert data_of(XML, payload, root="batch", record="row") == HEAD + (
        b"<batch><source>s</source><rows>\n<row><a>1</a></row>\n<row><a>2</a></row>\n</rows></batch>\n"
    )
    payload["rows"][0] = members({"a b": 1})  # type: ignore[index]
    with pytest.raises(RecordError) as refused:
        XML.encode(payload, XmlSettings())
    assert [reason.split(":")[0] for _, reason in refused.value.each] == [
        "attribute 'a b' is no element name (letters, digits, `_`, `-` and `.` make one, a letter or `_` begins it, "
        "and `xml` does not)"
    ]


def test_a_list_may_repeat_its_element() -> None:
    data = data_of(
        XML, members({"tag": ["a", None, {"b": 1}], "none": []}), lists="repeat", declaration=False
    )
    assert data == b"<record><tag>a</tag><tag></tag><tag><b>1</b></tag></record>\n"
    assert "lists: wrap" in refusal_of(XML, members({"tag": [[1]]}), lists="repeat")


def test_nesting_of_any_depth_needs_no_stack() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    data = data_of(XML, {"a": deep}, declaration=False)
    assert data == b"<record><a>" + b"<item>" * 5000 + b"1" + b"</item>" * 5000 + b"</a></record>\n"


@pytest.mark.parametrize(
    "written", [{"root": "a b"}, {"record": ""}, {"element": "x:y"}, {"media_type": "a/b\r\nX: y"}]
)
def test_settings_that_make_no_xml_are_refused_by_name(written: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        XmlSettings(**written)  # type: ignore[arg-type]
    assert [fault["loc"] for fault in caught.value.errors()] == [(name,) for name in written]


def test_a_payload_without_records_is_refused() -> None:
    with pytest.raises(DestinationError, match="payload is a str"):
        XML.encode("x", XmlSettings())


@needs_real_data
@pytest.mark.parametrize("name", ["airports.csv", "movies.jsonl", "earthquakes.jsonl"])
def test_real_records_come_back(name: str) -> None:
    real = real_records(name)
    root = ET.fromstring(data_of(XML, [members(one) for one in real], names="field"))
    assert len(root) == len(real)
    for child, one in zip(root, real, strict=True):
        assert_says(child, one)


def test_a_property_of_a_grouping_that_is_no_element_name_is_refused_for_what_it_is() -> None:
    for name in ("a b", "9", "xml"):
        payload = {"source": "x", name: [members({"a": 1})]}
        with pytest.raises(DestinationError) as caught:
            data_of(XML, payload)
        assert str(caught.value) == (
            f"content format xml: the property {name!r} of the grouping is no element name; choose another name for it "
            "there, or write `names: field` in format_settings"
        )
    assert data_of(XML, {"a b": [members({"a": 1})]}, names="field", declaration=False).replace(
        b"\n", b""
    ) == (b'<records><field name="a b"><record><a>1</a></record></field></records>')
