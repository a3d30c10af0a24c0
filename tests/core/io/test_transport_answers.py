"""Every transport and the answers of odd, slow and hostile servers: what is read, what is refused, what is closed."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
import tracemalloc
import zlib

import pytest
from tests.core.io.transports import Sender, Serving, every_sender, read_request, request
from tests.core.runs.wire import Answer, Asked, Cut, Wire, answer

from haulier.io.transports.protocol import MAX_HEAD_BYTES, MAX_HEADERS, NOTHING_ADDED
from haulier.model.request import Response

pytestmark = every_sender
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def bare_deflate(content: bytes) -> bytes:
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packing.compress(content) + packing.flush()


def said(found: Response) -> tuple[int, bytes]:
    return found.status, found.body


# -- how an answer ends ----------------------------------------------------------------------------------------------

WHOLE: dict[str, tuple[bytes, bytes]] = {
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "HTTP/1.0 without a length": (b"HTTP/1.0 200 OK\r\n\r\n{}", b"{}"),
    "until the end": (OK + b"\r\n{}", b"{}"),
    "until the end, nothing": (OK + b"\r\n", b""),
    "to be closed": (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}", b"{}"),
    "extensions and trailers": (CHUNKED + b"2;a=b\r\n{}\r\n0\r\nX-Late: y\r\n\r\n", b"{}"),
    "one byte a chunk": (CHUNKED + b"1\r\nx\r\n" * 5000 + b"0\r\n\r\n", b"x" * 5000),
}


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_ends_where_http_says_so(sender: Sender, name: str) -> None:
    content, body = WHOLE[name]
    with Wire(lambda asked: Cut(content)) as wire:
        assert said(sender.answer(request(wire.url))) == (200, body)


@pytest.mark.parametrize("piece_bytes", [1, 7])
def test_an_answer_may_come_in_any_pieces(sender: Sender, piece_bytes: int) -> None:
    content = CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    def slowly(taken: socket.socket) -> None:
        while read_request(taken):
            for start in range(0, len(content), piece_bytes):
                taken.sendall(content[start : start + piece_bytes])

    with Serving(slowly) as server:
        first, second = sender.exchange(request(server.url), request(server.url))
    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert (said(first), said(second)) == ((200, b"abcde"), (200, b"abcde"))


@pytest.mark.parametrize(
    ("method", "content"),
    [
        ("HEAD", OK + b"Content-Length: 500\r\n\r\n"),
        ("HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n"),
        ("POST", b"HTTP/1.1 204 Nothing\r\n\r\n"),
        ("POST", b"HTTP/1.1 304 Same\r\nContent-Length: 500\r\n\r\n"),
    ],
)
def test_what_has_no_body_is_not_waited_for(sender: Sender, method: str, content: bytes) -> None:
    with Wire(lambda asked: content) as wire:
        one = request(wire.url, method=method, body=b"" if method == "HEAD" else b"{}")
        found = sender.exchange(one, one, timeout_s=3.0)
    assert [one.body for one in found if isinstance(one, Response)] == [b"", b""], found


def test_interim_answers_are_passed_over_however_many(sender: Sender) -> None:
    before = b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n" * 3
    with Wire(lambda asked: before + answer(201, b"done")) as wire:
        found = sender.answer(request(wire.url))
        assert said(found) == (201, b"done")
        assert "link" not in [name for name, _ in found.headers]
        assert wire.asked[0].header("expect") is None


def test_a_long_answer_comes_whole(sender: Sender) -> None:
    content = bytes(range(256)) * 40_000
    with Wire(lambda asked: answer(200, content)) as wire:
        assert sender.answer(request(wire.url)).body == content


def test_a_long_request_arrives_whole_and_its_connection_serves_on(sender: Sender) -> None:
    body = bytes(range(256)) * 200_000
    with Wire() as wire:
        found = sender.exchange(request(wire.url, body=body), request(wire.url), timeout_s=30.0)
        assert [type(one) for one in found] == [Response, Response]
        assert wire.asked[0].body == body
        assert wire.connections == 1


# -- what is no answer -----------------------------------------------------------------------------------------------

REFUSED: dict[str, bytes] = {
    "a zero byte": OK + b"X: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "a bare carriage return": OK + b"X: a\rb\r\nContent-Length: 2\r\n\r\n{}",
    "a space before the colon": OK + b"Content-Length : 2\r\n\r\n{}",
    "no ASCII in a name": OK + b"X\xe9: a\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length with a sign": OK + b"Content-Length: +2\r\n\r\n{}",
    "a length beyond all bounds": OK + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "an unknown transfer coding": OK + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "a coding below chunks": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n2\r\n{}\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"2\r\n{}x\r\n0\r\n\r\n",
    "a chunk of less than nothing": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a status below 100": b"HTTP/1.1 99 Odd\r\nContent-Length: 2\r\n\r\n{}",
    "a status of four digits": b"HTTP/1.1 2000 Odd\r\nContent-Length: 2\r\n\r\n{}",
    "something before it": b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "another protocol": b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc",
    "too many headers": OK + b"A: 1\r\n" * MAX_HEADERS + b"Content-Length: 2\r\n\r\n{}",
    "one header too long": OK
    + b"A: "
    + b"x" * (MAX_HEAD_BYTES + 100_000)
    + b"\r\nContent-Length: 2\r\n\r\n{}",
    "interim answers without end": b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n" * 20_000,
}
# What httpx reads and http1 does not: https://www.rfc-editor.org/rfc/rfc9112#section-2.2, section 5.2 and section 6.3.
LAX: dict[str, bytes] = {
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}",
    "a folded header": OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "a control character": OK + b"X: a\x01b\r\nContent-Length: 2\r\n\r\n{}",
    "the same length twice": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": OK + b"Content-Length: 2, 2\r\n\r\n{}",
    "a length beside chunks": OK
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_answer_may_have_been_sent(sender: Sender, name: str) -> None:
    with Wire(lambda asked: Cut(REFUSED[name])) as wire:
        error = sender.failure(request(wire.url))
        assert error.sent == "maybe"
        assert f"127.0.0.1:{wire.port}: " in str(error)
        assert len(wire.asked) == 1


@pytest.mark.parametrize("name", LAX)
def test_what_can_be_read_in_two_ways_is_refused_by_http1_and_read_by_httpx(
    sender: Sender, name: str
) -> None:
    with Wire(lambda asked: Cut(LAX[name])) as wire:
        (found,) = sender.exchange(request(wire.url))
    if sender.name == "httpx":
        assert isinstance(found, Response)
        assert said(found) == (200, b"{}")
    else:
        assert not isinstance(found, Response)
        assert found.sent == "maybe"


# -- answers that grow -----------------------------------------------------------------------------------------------


def test_a_small_answer_that_unpacks_to_gigabytes_costs_no_memory(sender: Sender) -> None:
    bomb = gzip.compress(b"\0" * (64 << 20), 9)
    with Wire(lambda asked: answer(200, bomb, Content_Encoding="gzip")) as wire:
        tracemalloc.start()
        try:
            error = sender.failure(request(wire.url), max_answer_bytes=1 << 20)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert "longer than 1,048,576 bytes" in str(error)
    assert (error.sent, error.status) == ("maybe", 200)
    assert peak < 16 << 20


@pytest.mark.parametrize(
    ("codings", "body"),
    [
        ("gzip", gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0)),
        ("deflate", zlib.compress(b"onetwo")),
        ("deflate", bare_deflate(b"onetwo")),
        ("gzip, deflate", zlib.compress(gzip.compress(b"onetwo", mtime=0))),
        ("identity", b"onetwo"),
        ("of-their-own", b"onetwo"),
    ],
)
def test_an_answer_is_unpacked_as_its_codings_say(sender: Sender, codings: str, body: bytes) -> None:
    with Wire(lambda asked: answer(200, body, Content_Encoding=codings)) as wire:
        assert sender.answer(request(wire.url)).body == b"onetwo"


def test_a_packed_answer_that_breaks_off_is_no_answer(sender: Sender) -> None:
    with Wire(lambda asked: answer(200, gzip.compress(b"x" * 999)[:-9], Content_Encoding="gzip")) as wire:
        assert sender.failure(request(wire.url)).status == 200


# -- connections that are used again, or not -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behind", [b"x", b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", b"\0" * 9]
)
@pytest.mark.parametrize(
    "ending", [b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
)
def test_bytes_behind_an_answer_close_the_connection(sender: Sender, behind: bytes, ending: bytes) -> None:
    def first_odd(asked: Asked) -> Answer:
        return OK + ending + behind if asked.number == 0 else answer(200, b"good")

    with Wire(first_odd) as wire:
        _, second = sender.exchange(request(wire.url), request(wire.url), pause_s=0.05)
        assert isinstance(second, Response)
        assert (second.body, wire.connections) == (b"good", 2)


@pytest.mark.parametrize(
    "content",
    [
        OK + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_a_connection_that_is_to_be_closed_is_not_used_again(sender: Sender, content: bytes) -> None:
    with Wire(lambda asked: content) as wire:
        found = sender.exchange(request(wire.url), request(wire.url))
        assert [type(one) for one in found] == [Response, Response]
        assert wire.connections == 2


@pytest.mark.parametrize("reset", [False, True])
def test_what_a_used_connection_does_not_answer_may_have_been_sent(sender: Sender, reset: bool) -> None:
    """It is not sent again by the transport: whoever knows what a request means decides."""

    def once(asked: Asked) -> Answer:
        return answer() if asked.number == 0 else Cut(reset=reset)

    with Wire(once) as wire:
        first, second = sender.exchange(request(wire.url), request(wire.url))
        assert isinstance(first, Response)
        assert not isinstance(second, Response)
        assert (second.sent, len(wire.asked), wire.connections) == ("maybe", 2, 1)


@pytest.mark.parametrize("later_s", [0.0, 0.02])
def test_of_a_server_that_hangs_up_behind_each_answer_is_learned(sender: Sender, later_s: float) -> None:
    """A request that meets the end of its connection may have been sent. That is not to happen a second time."""

    def once(taken: socket.socket) -> None:
        assert read_request(taken)
        taken.sendall(answer())
        time.sleep(later_s)

    with Serving(*[once] * 60) as server:
        found = sender.exchange(*[request(server.url)] * 60)
        assert [type(one) for one in found].count(Response) >= 59


def test_of_a_server_that_hangs_up_after_many_answers_is_learned(sender: Sender) -> None:
    """However long a connection stood, its end costs one request at most, and none a second time."""

    def twenty(taken: socket.socket) -> None:
        for _ in range(20):
            if not read_request(taken):
                return
            taken.sendall(answer())

    with Serving(*[twenty] * 60) as server:
        found = sender.exchange(*[request(server.url)] * 60)
        assert [type(one) for one in found].count(Response) >= 59


def test_a_connection_that_idled_is_looked_at_however_many_answers_it_gave(sender: Sender) -> None:
    """A server that hung up behind none of hundreds of answers is trusted, but only where it is asked at once."""

    def for_600(taken: socket.socket) -> None:
        for _ in range(600):
            assert read_request(taken)
            taken.sendall(answer())

    def for_one_more(taken: socket.socket) -> None:
        assert read_request(taken)
        taken.sendall(answer(body=b'"new"'))

    async def main(url: str) -> Response:
        transport = sender.open()
        try:
            for _ in range(600):
                await transport.send(request(url), NOTHING_ADDED)
            time.sleep(0.1)  # noqa: ASYNC251 - so that the loop has seen nothing of what came meanwhile
            await asyncio.sleep(0)
            return await transport.send(request(url), NOTHING_ADDED)
        finally:
            await transport.close()

    with Serving(for_600, for_one_more) as server:
        assert sender.run(main(server.url)).body == b'"new"'


def test_requests_to_two_servers_do_not_meet(sender: Sender) -> None:
    with Wire(lambda asked: answer(200, b"one")) as one, Wire(lambda asked: answer(200, b"two")) as two:
        found = sender.exchange(*[request(one.url), request(two.url)] * 3)
        assert [found.body for found in found if isinstance(found, Response)] == [b"one", b"two"] * 3
        assert (len(one.asked), len(two.asked)) == (3, 3)
