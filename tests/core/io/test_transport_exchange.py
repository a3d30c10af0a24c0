"""Every transport over real sockets: the bytes that leave, what is read, and what is known of a failure."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import threading
import time
import zlib
from pathlib import Path

import pytest
import trustme
from tests.core.io.transports import Sender, every_sender, request
from tests.core.runs.wire import Answer, Asked, Cut, Stall, Wire, answer
from tests.ports import free_port

from haulier.errors import TransportError
from haulier.io.files import FileRoom
from haulier.io.transports.protocol import NOTHING_ADDED, head_of
from haulier.model.parts import Added
from haulier.model.request import Response

pytestmark = every_sender


# -- the bytes -------------------------------------------------------------------------------------------------------

ODD_TARGETS = [
    "/",
    "/a%2Fb",
    "/a%20b?q=%26%3D&r=a+b",
    "/v2/%C3%BC/x",
    "/a;b=c,d:e@f!$'()*~",
    "/x?empty=&flag",
    "/x?q=%7Bbraces%7D|",
    "//double",
]


@pytest.mark.parametrize("target", ODD_TARGETS)
def test_the_target_goes_out_byte_for_byte(sender: Sender, target: str) -> None:
    with Wire() as wire:
        sender.exchange(request(wire.url + target))
        assert [asked.target for asked in wire.asked] == [target]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_the_head_is_what_head_of_says_in_order_and_nothing_else(sender: Sender, method: str) -> None:
    body = b"" if method in ("GET", "DELETE") else b'{"a":1}'
    with Wire() as wire:
        one = request(
            wire.url + "/x?y=1", method=method, body=body, headers=(("User-Agent", "h"), ("X-CASE", "v"))
        )
        sender.exchange(one)
        (asked,) = wire.asked
        target, headers = head_of(one, NOTHING_ADDED)
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        assert asked.head == "\r\n".join(lines).encode()
        assert asked.body == body


def test_an_empty_post_says_that_it_is_empty(sender: Sender) -> None:
    with Wire() as wire:
        sender.exchange(request(wire.url + "/x", body=b""))
        assert wire.asked[0].header("content-length") == "0"


def test_a_credential_is_added_and_takes_the_place_of_a_header_of_its_name(sender: Sender) -> None:
    added = Added(headers=(("Authorization", "Bearer t"),), query=(("key", "a%26b"),))
    with Wire() as wire:
        sender.exchange(
            request(wire.url + "/x?y=1", headers=(("authorization", "mine"), ("X-A", "b"))),
            request(wire.url + "/x"),
            added=added,
        )
        assert [asked.target for asked in wire.asked] == ["/x?y=1&key=a%26b", "/x?key=a%26b"]
        names = [name.lower() for name, _ in wire.asked[0].headers]
        assert names == ["host", "x-a", "authorization", "content-length"]
        assert wire.asked[0].header("authorization") == "Bearer t"


def test_a_file_is_streamed_with_its_length(sender: Sender, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "picture.png").write_bytes(content)
    part = FileRoom(tmp_path, 1 << 30).part("picture.png")
    with Wire() as wire:
        (found,) = sender.exchange(request(wire.url + "/", body=(b"--b\r\n", part, b"\r\n--b--")))
        assert isinstance(found, Response)
        (asked,) = wire.asked
        assert asked.body == b"--b\r\n" + content + b"\r\n--b--"
        assert asked.header("content-length") == str(len(asked.body))
        assert asked.header("transfer-encoding") is None


def test_a_file_that_changed_never_arrives_whole(sender: Sender, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"a" * 300_000)
    part = FileRoom(tmp_path, 1 << 30).part("picture.png")
    path.write_bytes(b"b" * 300_000)
    with Wire() as wire:
        error = sender.failure(request(wire.url + "/", body=(b"--b", part, b"--")))
        assert "picture.png" in str(error)
        assert wire.asked == []


# -- answers ---------------------------------------------------------------------------------------------------------


def test_an_answer_comes_whole_with_names_in_lower_case_and_repeated_headers(sender: Sender) -> None:
    said = (
        b"HTTP/1.1 299 Odd\r\nX-A: 1\r\nx-a: 2\r\nX-Latin: caf\xe9\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    with Wire(lambda asked: said) as wire:
        (found,) = sender.exchange(request(wire.url))
    assert isinstance(found, Response)
    assert (found.status, found.body) == (299, b"abcde")
    assert [pair for pair in found.headers if pair[0].startswith("x-")] == [
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-latin", "caf\xe9"),
    ]


def test_early_hints_are_passed_over(sender: Sender) -> None:
    with Wire(lambda asked: b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n" + answer(200, b"done")) as wire:
        (found,) = sender.exchange(request(wire.url))
    assert isinstance(found, Response)
    assert (found.status, found.body) == (200, b"done")


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_answer_is_unpacked(sender: Sender, coding: str, pack: object) -> None:
    with Wire(lambda asked: answer(200, pack(b"x" * 9999), Content_Encoding=coding)) as wire:  # type: ignore[operator]
        (found,) = sender.exchange(request(wire.url))
    assert isinstance(found, Response)
    assert found.body == b"x" * 9999


def test_an_answer_longer_than_allowed_is_no_answer_also_where_it_is_packed(sender: Sender) -> None:
    with Wire(lambda asked: answer(200, gzip.compress(b"x" * 5_000_000), Content_Encoding="gzip")) as wire:
        error = sender.failure(request(wire.url), max_answer_bytes=100_000)
    assert (error.sent, error.status) == ("maybe", 200)
    assert "the answer is longer than 100,000 bytes" in str(error)


def test_one_connection_serves_many_requests(sender: Sender) -> None:
    with Wire() as wire:
        sender.exchange(*[request(wire.url)] * 5)
        assert (len(wire.asked), wire.connections) == (5, 1)


def test_a_connection_the_server_closed_meanwhile_is_opened_anew(sender: Sender) -> None:
    with Wire(lambda asked: Cut(answer())) as wire:
        found = sender.exchange(
            *[request(wire.url)] * 3, pause_s=0.1, ready=lambda number: wire.closed >= number
        )
    assert all(isinstance(one, Response) for one in found)


def test_as_many_requests_at_once_as_there_are_lanes(sender: Sender) -> None:
    most, now, lock, all_lanes = 0, 0, threading.Lock(), threading.Event()

    def busy(asked: Asked) -> Answer:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
            if most == 4:
                all_lanes.set()
        assert all_lanes.wait(20)
        time.sleep(0.02)
        with lock:
            now -= 1
        return answer()

    async def main(url: str) -> None:
        transport = sender.open(lanes=4)
        await asyncio.gather(*(transport.send(request(url), NOTHING_ADDED) for _ in range(16)))
        await transport.close()

    with Wire(busy) as wire:
        sender.run(main(wire.url))
        assert (most, wire.connections) == (4, 4)


# -- failures: what is known -----------------------------------------------------------------------------------------

BROKEN: dict[str, Answer] = {
    "closes": Cut(),
    "resets": Cut(reset=True),
    "half a status line": Cut(b"HTTP/1.1 2"),
    "half a head": Cut(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "half a body": Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
    "half a chunk": Cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"),
    "no HTTP": Cut(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "bad length": Cut(b"HTTP/1.1 200 OK\r\nContent-Length: minus\r\n\r\n"),
    "an endless head": Cut(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000),
    "packed badly": answer(200, b"no gzip", Content_Encoding="gzip"),
    "stalls": Stall(30),
}


def patience(kind: str) -> float:
    """The time-out that shows what a server does, in seconds; short only where it is what is to come."""
    return 1.0 if kind == "stalls" else 30.0


@pytest.mark.parametrize("kind", BROKEN)
def test_what_breaks_after_the_request_left_may_have_been_sent(sender: Sender, kind: str) -> None:
    with Wire(lambda asked: BROKEN[kind]) as wire:
        error = sender.failure(request(wire.url + "/x"), timeout_s=patience(kind))
        assert error.sent == "maybe"
        assert f"127.0.0.1:{wire.port}" in str(error)
        wire.wait(1)
        assert len(wire.asked) == 1


def test_a_server_that_never_reads_may_have_been_sent_to(sender: Sender) -> None:
    """The connection stands and bytes may be in its buffers, whoever accepts it or not."""
    with Wire(lambda asked: Stall(5)) as wire:
        error = sender.failure(request(wire.url, body=b"x" * 50_000_000), timeout_s=0.3)
    assert error.sent == "maybe"


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"], ids=["refused", "no name"])
def test_whom_nobody_reached_was_sent_nothing(sender: Sender, host: str) -> None:
    host = f"{host}:{free_port()}"
    error = sender.failure(request(f"http://{host}/"))
    assert error.sent == "no"
    assert host in str(error)


def test_a_failure_does_not_spoil_the_lane(sender: Sender) -> None:
    def broken_once(asked: Asked) -> Answer:
        return Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{") if asked.number == 0 else answer()

    with Wire(broken_once) as wire:
        first, second = sender.exchange(request(wire.url), request(wire.url))
    assert isinstance(first, TransportError)
    assert isinstance(second, Response)
    assert (first.sent, second.status, len(wire.asked)) == ("maybe", 200, 2)


# -- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def served(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_a_server_whose_authority_is_trusted_is_spoken_to(
    sender: Sender, authority: trustme.CA, served: ssl.SSLContext
) -> None:
    with Wire(tls=served) as wire:
        (found,) = sender.exchange(request(wire.url + "/x"), verify=trusting(authority))
        assert isinstance(found, Response)
        assert wire.asked[0].target == "/x"


def test_a_server_that_cannot_prove_who_it_is_gets_nothing(sender: Sender, served: ssl.SSLContext) -> None:
    with Wire(tls=served) as wire:
        error = sender.failure(request(wire.url))
        assert error.sent == "no"
        assert "certificate" in str(error).lower()
        assert wire.asked == []


def test_a_certificate_of_another_name_gets_nothing(sender: Sender, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("example.org").configure_cert(context)
    with Wire(tls=context) as wire:
        error = sender.failure(request(wire.url), verify=trusting(authority))
        assert (error.sent, wire.asked) == ("no", [])


def test_tls_towards_a_server_without_it_sends_nothing(sender: Sender, authority: trustme.CA) -> None:
    with Wire() as wire:
        error = sender.failure(
            request(wire.url.replace("http:", "https:")), verify=trusting(authority), timeout_s=0.5
        )
        assert error.sent == "no"


@pytest.mark.parametrize("kind", ["closes", "resets", "half a body", "stalls"])
def test_what_breaks_inside_tls_may_have_been_sent(
    sender: Sender, kind: str, authority: trustme.CA, served: ssl.SSLContext
) -> None:
    with Wire(lambda asked: BROKEN[kind], tls=served) as wire:
        error = sender.failure(request(wire.url), verify=trusting(authority), timeout_s=patience(kind))
        assert error.sent == "maybe"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_asks_for_a_certificate_of_ours_fails_as_a_transport_does(
    sender: Sender, version: ssl.TLSVersion, authority: trustme.CA, served: ssl.SSLContext
) -> None:
    """With TLS 1.3 the refusal comes after the handshake, when the request may have left."""
    served.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(served)
    served.maximum_version = version
    with Wire(tls=served) as wire:
        sender.failure(request(wire.url), verify=trusting(authority))
        assert wire.asked == []


# -- what a destination may make of a request, and a client may not like --------------------------------------------


def test_a_target_of_any_length_goes_out(sender: Sender) -> None:
    with Wire() as wire:
        (found,) = sender.exchange(request(wire.url + "/x?a=" + "x" * 100_000, method="GET", body=b""))
        assert isinstance(found, Response)
        assert len(wire.asked[0].target) == 100_005


def test_the_loop_goes_on_while_a_request_waits(sender: Sender) -> None:
    async def main(url: str) -> int:
        transport = sender.open()
        sending = asyncio.create_task(transport.send(request(url), NOTHING_ADDED))
        ticks = 0
        while not sending.done():
            await asyncio.sleep(0.005)
            ticks += 1
        await sending
        await transport.close()
        return ticks

    with Wire(delay_s=0.3) as wire:
        assert sender.run(main(wire.url)) > 20
