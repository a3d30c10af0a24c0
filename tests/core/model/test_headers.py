"""Rules of header pairs and header values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import DestinationError, ExpressionError
from haulier.model.expression import Fault, Reference, parse
from haulier.model.headers import HeaderTemplate, header_value, parse_pairs


def pairs(written: str | dict[str, str]) -> list[tuple[str, str]]:
    return [(header.name, str(header.expression)) for header in parse_pairs(written)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", []),
        ("  ", []),
        ("h1:v1,h2:v2", [("h1", "v1"), ("h2", "v2")]),
        (" h1 : v1 , h2:\tv2 ", [("h1", "v1"), ("h2", "v2")]),
        ("X-Time:10:30:00,X-B:b", [("X-Time", "10:30:00"), ("X-B", "b")]),
        ("Accept: text/html, application/json", [("Accept", "text/html, application/json")]),
        ("Accept: a/b, c/d,X-A: 1", [("Accept", "a/b, c/d"), ("X-A", "1")]),
        (
            "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT",
            [("If-Modified-Since", "Sat, 29 Oct 1994 19:43:31 GMT")],
        ),
        ("Referer: http://a,https://b", [("Referer", "http://a,https://b")]),
        ("X-Empty:", [("X-Empty", "")]),
        ("X-Empty:,b:1", [("X-Empty", ""), ("b", "1")]),
        ('X: {record["a,b:c"]},Y: {now:%H}', [("X", '{record["a,b:c"]}'), ("Y", "{now:%H}")]),
        ({"X-List": "a, b:c", "Y": " v "}, [("X-List", "a, b:c"), ("Y", "v")]),
    ],
)
def test_pairs_part_at_commas_that_a_name_and_a_colon_follow(
    written: str | dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert pairs(written) == expected


def test_a_value_is_an_expression_with_its_place() -> None:
    (header,) = parse_pairs("X-Id: {record.id}!", place="request.headers")
    assert header == HeaderTemplate("X-Id", parse("{record.id}!", place="request.headers.X-Id"))
    assert header.expression.parts == (Reference("record", ("id",)), "!")
    with pytest.raises(ExpressionError, match=r"headers.X-Id: `\{id\}` at column 1 is not known"):
        parse_pairs("X-Id: {id}")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("oops", "headers: pair 1, `oops`, has no colon; write NAME:VALUE,NAME:VALUE"),
        (
            "Authorization s3cret,X:1",
            "headers: pair 1, `Authorizatio...`, has no colon; write NAME:VALUE,NAME:VALUE",
        ),
        ("a:1,", "headers: after the comma that ends pair 1, a pair is missing"),
        ("a:1,,b:2", "headers: after the comma that ends pair 1, a pair is missing"),
        (":v", "headers: '' is no header name; letters, digits and !#$%&'*+-.^_`|~ make one"),
        ("a b:v", "headers: 'a b' is no header name; letters, digits and !#$%&'*+-.^_`|~ make one"),
        ("a:1,A:2", "headers: A stands twice; write one value, its parts parted by commas"),
        (
            {"a\r\nb": "v"},
            "headers: 'a\\r\\nb' is no header name; letters, digits and !#$%&'*+-.^_`|~ make one",
        ),
        ({"é": "v"}, "headers: '\\\\xe9' is no header name; letters, digits and !#$%&'*+-.^_`|~ make one"),
        (
            {"X": "s3cret\r\nY: 1"},
            "headers.X: the value holds a line break (U+000D), which would begin another header",
        ),
        (
            {"X": "s3cret\n"},
            "headers.X: the value holds a line break (U+000A), which would begin another header",
        ),
        ({"X": "s3cret\0"}, "headers.X: the value holds the control character U+0000"),
        ({"X": "s3cret\x7f"}, "headers.X: the value holds the control character U+007F"),
        ({"X": "s3cret é"}, "headers.X: the value holds `é` (U+00E9); a header takes ASCII only"),
    ],
)
def test_what_is_no_header_is_refused_by_name_and_no_value_is_repeated(
    written: str | dict[str, str], message: str
) -> None:
    with pytest.raises(DestinationError) as caught:
        parse_pairs(written)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "CONNECTION",
        "Expect",
        "Upgrade",
        "TE",
        "Trailer",
        "Keep-Alive",
    ],
)
def test_the_transports_own_headers_are_refused(name: str) -> None:
    with pytest.raises(DestinationError) as caught:
        parse_pairs(f"X:1,{name}:v")
    assert (
        str(caught.value)
        == f"headers: {name} is set by the transport, which owns the connection; leave it out"
    )


def test_a_rendered_value_loses_the_spaces_around_it_and_keeps_the_others() -> None:
    assert header_value(" a\tb c\t") == "a\tb c"
    assert header_value("") == ""
    assert header_value("a\nb") == Fault("holds a line break (U+000A), which would begin another header")
    assert header_value("\u2028") == Fault("holds U+2028")


@given(st.text())
def test_a_value_that_is_let_through_is_one_line_of_ascii(text: str) -> None:
    value = header_value(text)
    if not isinstance(value, Fault):
        assert value == text.strip(" \t")
        assert all(char == "\t" or " " <= char <= "~" for char in value)


@given(st.text(alphabet=st.sampled_from('ab:,{} "\t\r\n/.é') | st.characters()))
def test_any_text_is_read_as_pairs_or_refused(text: str) -> None:
    try:
        headers = parse_pairs(text)
    except (DestinationError, ExpressionError):
        return
    assert parse_pairs({header.name: str(header.expression) for header in headers}) == headers
