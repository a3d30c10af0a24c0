"""Rules of canonical URLs: what is kept, what is encoded, what is refused."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.errors import DestinationError, ExpressionError
from haulier.model.expression import Expression, Reference, parse
from haulier.model.origin import canonical_origin, shown_url
from haulier.model.url import (
    PathValue,
    QueryItem,
    WrittenUrl,
    check_rendered,
    check_segment,
    origin_of,
    quote,
    split_base,
    split_written,
    template_path,
)

NO_URL = "is no http(s) URL; write https://HOST/PATH, with expressions in path and query only"
NO_HOST = "has a host that is no domain name: letters, digits, - and . in it, no . at its end"
UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def reference(*path: str) -> Reference:
    return Reference("record", path)


def expression(*parts: str | Reference) -> Expression:
    return Expression(parts, "request.url")


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://api.imagga.com/v2", "https://api.imagga.com"),
        ("HTTPS://API.Imagga.com:443", "https://api.imagga.com"),
        ("http://localhost:80/", "http://localhost"),
        ("http://localhost:8123?x", "http://localhost:8123"),
        ("https://h:80", "https://h:80"),
        ("http://127.0.0.1:09/", "http://127.0.0.1:9"),
        ("http://[0:0::1]:8080/x", "http://[::1]:8080"),
        ("https://münchen.example/x", "https://xn--mnchen-3ya.example"),
        ("http://my_service:9000", "http://my_service:9000"),
    ],
)
def test_an_origin_has_one_form(written: str, origin: str) -> None:
    assert origin_of(written) == origin
    assert split_written(written).origin == origin
    assert origin_of(origin) == origin


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "",
            f"u: an empty text {NO_URL}",
        ),
        (
            "api.imagga.com/v2",
            f"u: api.imagga.com/v2 {NO_URL}",
        ),
        (
            "ftp://h/x?key=1",
            f"u: ftp://h/x {NO_URL}",
        ),
        (
            "{record.url}",
            f"u: {{record.url}} {NO_URL}",
        ),
        (
            "https://{record.host}/x",
            "u: scheme, host and port of https://{record.host}/x must be written out; "
            "expressions stand in path and query only",
        ),
        (
            "https://h.example{record.host}/x",
            "u: scheme, host and port of https://h.example{record.host}/x must be written out; "
            "expressions stand in path and query only",
        ),
        (
            "https://me:s3cret@h/x",
            "u: https://h holds a user name or password; keep it in a credential: haulier credential add",
        ),
        (
            "https://h/x#top",
            "u: https://h/x has a fragment, which is never sent; leave it out, or write %23 for a #",
        ),
        ("https://h/a b", "u: https://h/a b holds ' '; write it percent-encoded or leave it out"),
        (" https://h", "u:  https://h holds ' '; write it percent-encoded or leave it out"),
        ("https://h/a\r\nb", "u: https://h/a??b holds U+000D; write it percent-encoded or leave it out"),
        ("https://h\\@evil", "u: https://evil holds '\\\\'; write it percent-encoded or leave it out"),
        ("https://h/a\\b", "u: https://h/a\\b holds '\\\\'; write it percent-encoded or leave it out"),
        ("https://h:0/", "u: https://h:0 has no port from 1 to 65535 after the colon"),
        ("https://h:65536", "u: https://h:65536 has no port from 1 to 65535 after the colon"),
        ("https://h:", "u: https://h: has no port from 1 to 65535 after the colon"),
        ("https://h:8x", "u: https://h:*** has no port from 1 to 65535 after the colon"),
        ("https://", "u: https:// has no host; write https://HOST"),
        ("https://:80", "u: https://:80 has no host; write https://HOST"),
        ("https://[::1", "u: https://[:*** has no host that can be read; write https://HOST:PORT"),
        ("https://[1::2::3]", "u: https://[1::2::3] has no IPv6 address between the brackets"),
        ("https://a..b", "u: https://a..b has a host that is no domain name"),
        (f"https://{'a' * 64}.b", f"u: https://{'a' * 64}.b has a host that is no domain name"),
        (f"https://b.{'a' * 64}", f"u: https://b.{'a' * 64} has a host that is no domain name"),
        ("https://h./x", f"u: https://h. {NO_HOST}"),
        ("https://-a.b", f"u: https://-a.b {NO_HOST}"),
        ("https://a,b", f"u: https://a,b {NO_HOST}"),
        ("https://\u2100.example", f"u: https://\u2100.example {NO_HOST}"),
        (
            "https://fa\u00df.example",
            "u: https://fa\u00df.example has a host that two standards read differently; write it as xn--...",
        ),
        ("http://127.1", "u: http://127.1 has no IPv4 address of four numbers 0-255"),
        ("http://2130706433", "u: http://2130706433 has no IPv4 address of four numbers 0-255"),
        ("http://0x7f.0x1", "u: http://0x7f.0x1 has no IPv4 address of four numbers 0-255"),
        ("https://h/a/../b", "u: a path segment of https://h/a/../b is `..`; write the path out"),
        ("https://h/%2E%2e/b", "u: a path segment of https://h/%2E%2e/b is `%2E%2E`; write the path out"),
        ("https://h/.", "u: a path segment of https://h/. is `.`; write the path out"),
        ("https://h/x?{record.a}=1", "u: the name of query parameter {record.a} must be written out"),
    ],
)
def test_a_written_url_is_refused_with_place_value_and_way_out(written: str, message: str) -> None:
    with pytest.raises(DestinationError) as caught:
        split_written(written, place="u")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "written",
    [
        "https://user:s3cret@h/x y",
        "https://user:s3cret@h:99999/x",
        "https://user:s3cret@/x",
        "user:s3cret@h/x",
        "https://h/x y?key=s3cret",
        "https://user:s3?cret@h",
        "https://user:s3cret#@h",
        "https://user:s3cret/@h/x y",
        "ftp://user:s3cret@h",
    ],
)
def test_no_message_repeats_a_password_or_a_query(written: str) -> None:
    with pytest.raises(DestinationError) as caught:
        split_written(written)
    assert "s3" not in str(caught.value)


def test_a_written_url_is_taken_apart_into_canonical_text_and_values() -> None:
    written = (
        'https://h/v2/{record["a?b#"]}/é%7e%2f%zz/x-{run.id}.json?q={record.q}&l=n o&f=%2f+/?&flag&e=&=v'
    )
    assert split_written(written.replace("n o", "n%20o")) == WrittenUrl(
        "https://h",
        (
            "/v2/",
            PathValue('{record["a?b#"]}', expression(reference("a?b#"))),
            "/%C3%A9%7E%2F%25zz/x-",
            PathValue("{run.id}", expression(Reference("run", ("id",)))),
            ".json",
        ),
        (
            QueryItem("q", expression(reference("q")), written=True),
            QueryItem("l", expression("n%20o"), written=True),
            QueryItem("f", expression("%2F+/?"), written=True),
            QueryItem("flag", None, written=True),
            QueryItem("e", expression(), written=True),
            QueryItem("", expression("v"), written=True),
        ),
    )


def test_a_url_without_a_path_has_the_path_slash() -> None:
    assert split_written("https://h?a=1") == WrittenUrl(
        "https://h", ("/",), (QueryItem("a", expression("1"), written=True),)
    )


def test_a_base_url_is_an_origin_and_a_path() -> None:
    assert split_base("http://127.0.0.1:8123") == ("http://127.0.0.1:8123", "")
    assert split_base("https://gateway.example/imagga/v2/") == ("https://gateway.example", "/imagga/v2")
    for written in ("https://h/v2?x=1", "https://h/{param.region}"):
        with pytest.raises(DestinationError, match="is where every call begins; write it without query"):
            split_base(written)


def test_a_templates_path_is_filled_with_declared_values_only() -> None:
    value = parse("{record.id}", place="params.uploadId")
    assert template_path("/v2/uploads/{uploadId}", {"uploadId": value}, place="d") == (
        "/v2/uploads/",
        PathValue("uploadId", value),
    )
    with pytest.raises(DestinationError) as caught:
        template_path("/v2/uploads/{uploadId}", {}, place="endpoint delete-upload")
    assert str(caught.value) == (
        "endpoint delete-upload: path parameter uploadId of /v2/uploads/{uploadId} is missing; "
        "write params.uploadId"
    )


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_quoting_keeps_unreserved_characters_and_loses_nothing(text: str) -> None:
    quoted = quote(text)
    assert unquote(quoted, errors="strict") == text
    assert set(quoted) <= UNRESERVED | {"%"}
    if set(text) <= UNRESERVED:
        assert quoted == text


def test_quoting_is_rfc_3986() -> None:
    assert quote("a b+c/d?e=f&g%h:~") == "a%20b%2Bc%2Fd%3Fe%3Df%26g%25h%3A~"
    with pytest.raises(UnicodeEncodeError):
        quote("\ud800")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("abc", ""),
        ("a.b", ""),
        ("...", ""),
        ("a/b", ""),
        ("http://h/x", ""),
        (" ", ""),
        ("é", ""),
        ("", "is empty"),
        (".", "is `.`"),
        ("..", "is `..`"),
        ("%2e", "is `%2e`"),
        (".%2E", "is `.%2E`"),
        ("../x", "holds the dot segment `..`"),
        ("x%2f..%2fy", "holds the dot segment `..`"),
        ("..\\x", "holds the dot segment `..`"),
        ("a\\b", "holds a backslash"),
        ("a\nb", "holds the control character U+000A"),
        ("a\x00", "holds the control character U+0000"),
        ("a\x85", "holds the control character U+0085"),
    ],
)
def test_what_may_fill_a_path_segment(text: str, reason: str) -> None:
    assert check_segment(text) == reason


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("", ""),
        ("/x/y.json?a=..", ""),
        ("?a=/../", ""),
        ("x", "leaves https://h/v2"),
        ("/..", "holds the dot segment `..`"),
        ("/%2e%2E/x", "holds the dot segment `%2e%2E`"),
        ("/a%2F..%2Fb", "holds the dot segment `..`"),
        ("/a\\b", "holds a character that no URL may hold"),
        ("/a b", "holds a character that no URL may hold"),
        ("/é", "holds a character that no URL may hold"),
        ("/a#b", "holds a character that no URL may hold"),
        ("/a\n", "holds a character that no URL may hold"),
    ],
)
def test_a_rendered_url_stays_where_it_was_configured(rest: str, reason: str) -> None:
    assert check_rendered("https://h/v2" + rest, "https://h", "/v2") == reason


def test_another_origin_is_not_taken_for_the_configured_one() -> None:
    for url in ("http://h/v2/x", "https://h.evil/v2/x", "https://h:8080/v2/x", "https://h@evil/v2"):
        assert check_rendered(url, "https://h", "/v2") == "leaves https://h/v2"
    assert check_rendered("https://h.evil/x", "https://h", "") == "leaves https://h"
    assert check_rendered("https://h@evil/x", "https://h", "") == "leaves https://h"


@given(st.text())
def test_any_text_is_a_canonical_url_or_refused(text: str) -> None:
    for written in (text, f"https://{text}", f"https://h/{text}", f"https://h:{text}"):
        try:
            url = split_written(written)
        except (DestinationError, ExpressionError):
            continue
        path = "".join(piece if isinstance(piece, str) else "v" for piece in url.path)
        assert check_rendered(url.origin + path, url.origin, "") == ""
        assert canonical_origin(url.origin, place="again") == url.origin
        assert urlsplit(url.origin).netloc == url.origin.partition("://")[2]


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    assert shown_url(text).isprintable()
