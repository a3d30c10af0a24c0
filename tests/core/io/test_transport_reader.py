"""Reading answers from bytes: pure, so that every way to cut them can be tried."""

from __future__ import annotations

import gzip
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.io.transports.answers import AnswerReader, Heads, Refused
from haulier.model.request import Response

GOOD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{"":'
PACKED = gzip.compress(b"x" * 500, mtime=0)
ANSWERS = [
    GOOD,
    GOOD.replace(b"{", b"\n"),
    b"HTTP/1.1 204 Nothing\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD,
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nabcd\r\n2\r\n\r\n\r\n0\r\nLate: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED),
]


def read(reader: AnswerReader, *pieces: bytes, method: str = "POST") -> tuple[Response, bool]:
    """The answer that these pieces make, and whether another one may follow."""
    reader.begin(method)
    if (quick := reader.at_once(pieces[0])) is not None and len(pieces) == 1:
        assert quick[1] is None
        return quick[0], True
    wholes = [reader.feed(piece) for piece in pieces]
    assert wholes == [False] * (len(pieces) - 1) + [True]
    return reader.response(), reader.clean


@given(st.sampled_from(ANSWERS), st.lists(st.integers(1, 400)))
def test_however_an_answer_is_cut_it_reads_the_same(content: bytes, cuts: list[int]) -> None:
    expected, clean = read(AnswerReader(Heads(), 1 << 20), content)
    borders = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    pieces = [content[start:end] for start, end in itertools.pairwise(borders)]
    reader = AnswerReader(Heads(), 1 << 20)
    assert clean
    assert [read(reader, *pieces), read(reader, *pieces)] == [(expected, True)] * 2


@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=9))
def test_what_was_learned_of_heads_changes_no_answer(contents: list[bytes]) -> None:
    heads = Heads()
    for content in contents:
        knowing, fresh = AnswerReader(heads, 1 << 20), AnswerReader(Heads(), 1 << 20)
        assert read(knowing, content) == read(fresh, content)


def test_a_head_that_is_known_still_needs_its_own_body() -> None:
    reader = AnswerReader(Heads(), 1 << 20)
    read(reader, GOOD)
    end = len(GOOD) - 4
    assert read(reader, GOOD[:end] + b"next")[0].body == b"next"
    assert read(reader, GOOD[:end] + b"pi", b"ec")[0].body == b"piec"
    assert read(reader, GOOD[:end], method="HEAD")[0].body == b""


@pytest.mark.parametrize("behind", [b"\r", b"\r\n", b"\n", b"H", GOOD, b"\0"])
@pytest.mark.parametrize("content", ANSWERS)
def test_whatever_comes_behind_an_answer_spoils_the_connection_and_not_the_answer(
    content: bytes, behind: bytes
) -> None:
    heads = Heads()
    expected, _ = read(AnswerReader(heads, 1 << 20), content)
    assert read(AnswerReader(heads, 1 << 20), content + behind) == (expected, False)


def test_no_more_heads_are_kept_than_pay() -> None:
    heads = Heads()
    reader = AnswerReader(heads, 1 << 20)
    for number in range(1000):
        read(reader, b"HTTP/1.1 200 OK\r\nX-%d: 1\r\nContent-Length: 0\r\n\r\n" % number)
    assert len(heads.known) <= 16
    assert len(heads.names) <= 256


def test_an_answer_longer_than_allowed_is_refused_also_where_its_head_is_known() -> None:
    heads = Heads()
    read(AnswerReader(heads, 4), GOOD)
    with pytest.raises(Refused, match="longer than 3 bytes"):
        read(AnswerReader(heads, 3), GOOD)
