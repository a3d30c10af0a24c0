"""Heads of requests: whatever went before, each is written as if it were the only one."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.io.transports import request

from haulier.errors import TransportError
from haulier.io.transports.heads import HeadWriter
from haulier.io.transports.protocol import NOTHING_ADDED, head_bytes, head_of, parts_of
from haulier.model.parts import Added
from haulier.model.request import Request

_URLS = ["http://one.test/x", "http://two.test:8000/x?y=1"]
_PAIRS = [("User-Agent", "h"), ("X-Key", "1"), ("Content-Type", "text/plain")]
# A value may be anything here: what must not go out must be refused after a good head as before one.
_VALUES = ["a1", "b2", "", "x y", "1\r\nX-Evil: 2", "\0", "²", "ü", "a-b"]
_ADDED = [
    NOTHING_ADDED,
    Added(headers=(("Authorization", "Basic YTpi"),)),
    Added(headers=(("Idempotency-Key", "theirs"), ("X-Key", "2"))),
    Added(query=(("api_key", "1"),)),
]

requests = st.builds(
    lambda url, method, pairs, name, value, body: request(
        url, method=method, headers=(*pairs, (name, value)) if name else tuple(pairs), body=body
    ),
    url=st.sampled_from([*[_URLS[0]] * 4, _URLS[1]]),
    method=st.sampled_from(["POST", "POST", "PUT", "GET"]),
    pairs=st.sampled_from([_PAIRS[:1], _PAIRS[:1], _PAIRS, []]),
    name=st.sampled_from(["Idempotency-Key", "Idempotency-Key", "X-Key", ""]),
    value=st.sampled_from(_VALUES),
    body=st.sampled_from([b"", b"1", b"x" * 1000]),
)


def alone(one: Request, added: Added) -> tuple[bytes, str, str]:
    target, headers = head_of(one, added)
    return head_bytes(one.method, target, headers), *parts_of(one.url)[:2]


def came_of(write: Callable[[Request, Added], tuple[bytes, str, str]], one: Request, added: Added) -> object:
    try:
        return write(one, added)
    except TransportError as error:
        return error.sent, str(error)


@settings(max_examples=300)
@given(st.lists(st.tuples(requests, st.sampled_from(_ADDED)), max_size=12))
def test_a_head_does_not_depend_on_those_before_it(asked: list[tuple[Request, Added]]) -> None:
    writer = HeadWriter()
    assert [came_of(writer.write, *one) for one in asked] == [came_of(alone, *one) for one in asked]


def test_heads_that_differ_in_key_and_length_are_written_alike() -> None:
    """The way of nearly all: what the credential adds stands behind the key, the length behind that."""
    writer, added = HeadWriter(), Added(headers=(("Authorization", "Basic YTpi"), ("X-More", "m")))
    asked = [
        request(_URLS[1], headers=(*_PAIRS, ("Idempotency-Key", f"{number:032x}")), body=b"x" * number)
        for number in range(1, 6)
    ]
    assert [writer.write(one, added) for one in asked] == [alone(one, added) for one in asked]
