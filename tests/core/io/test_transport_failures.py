"""Every transport and what it knows of a failure: `sent` is "no" only where nothing can have arrived.

The server counts the whole bodies it read, and that count is what each expected value is held against.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from tests.core.io.transports import (
    Sender,
    Serving,
    answering,
    every_http1_sender,
    every_sender,
    holding,
    read_request,
    request,
)
from tests.core.runs.wire import Answer, Asked, Cut, Stall, Wire, answer
from tests.ports import free_port

from haulier.errors import TransportError
from haulier.io.transports.choose import transport_name
from haulier.io.transports.protocol import NOTHING_ADDED
from haulier.model.request import Response

# -- what may have been sent -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """How a server fails once it has read a whole request. status: of the head that arrived."""

    answer: Answer
    status: int | None = None
    timeout_s: float = 10.0


AFTER_THE_BODY = {
    "closed": Broken(Cut()),
    "reset": Broken(Cut(reset=True)),
    "half a status line": Broken(Cut(b"HTTP/1.1 2")),
    "half a head": Broken(Cut(b"HTTP/1.1 200 OK\r\nContent-Le")),
    "half a body": Broken(Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), 200),
    "half a chunk": Broken(Cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"), 200),
    "silence": Broken(Stall(30), timeout_s=1.0),
}


@every_sender
@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
@pytest.mark.parametrize("name", AFTER_THE_BODY)
def test_whoever_read_the_whole_body_was_sent_to(sender: Sender, name: str, used: bool) -> None:
    broken = AFTER_THE_BODY[name]

    def first_well(asked: Asked) -> Answer:
        return answer() if used and asked.number == 0 else broken.answer

    with Wire(first_well) as wire:
        *before, last = sender.exchange(*[request(wire.url)] * (1 + used), timeout_s=broken.timeout_s)
        wire.wait(1 + used)
        whole_bodies = len(wire.asked) - len(before)
        assert all(isinstance(one, Response) for one in before)
        assert isinstance(last, TransportError)
        assert whole_bodies == 1
        assert (last.sent, last.status, wire.connections) == ("maybe", broken.status, 1)


@every_sender
def test_silence_after_the_first_byte_of_an_answer_is_a_time_out_too(sender: Sender) -> None:
    def begin(taken: socket.socket) -> None:
        read_request(taken)
        taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        read_request(taken)

    with Serving(begin) as server:
        error = sender.failure(request(server.url), timeout_s=1.0)
    assert (error.sent, error.status) == ("maybe", 200)
    assert "no answer in time (`timeout_s` says how long to wait)" in str(error)


@every_sender
def test_an_answer_that_comes_slowly_but_steadily_is_waited_for(sender: Sender) -> None:
    """The time-out is the longest silence, not the longest exchange."""
    silence = 0.25

    def drip(taken: socket.socket) -> None:
        read_request(taken)
        taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
        for _ in range(8):
            taken.sendall(b"x")
            time.sleep(silence)

    with Serving(drip) as server:
        assert sender.answer(request(server.url), timeout_s=1.5).body == b"x" * 8


@every_sender
def test_a_server_that_stops_reading_ends_in_a_time_out(sender: Sender) -> None:
    with Serving(holding) as server:
        error = sender.failure(request(server.url, body=b"x" * 30_000_000), timeout_s=0.5)
    assert error.sent == "maybe"
    assert "in time (`timeout_s` says how long to wait)" in str(error)


@every_sender
def test_a_server_that_reads_slowly_but_steadily_is_waited_for(sender: Sender) -> None:
    """Of a long request, too, the time-out is the longest silence."""
    length = 12_000_000

    def sip(taken: socket.socket) -> None:
        read = 0
        while read < length:
            read += len(taken.recv(1 << 16))
            time.sleep(0.012)
        taken.sendall(answer())
        read_request(taken)

    with Serving(sip) as server:
        began = time.monotonic()
        found = sender.answer(request(server.url, body=b"x" * length), timeout_s=2.0)
    assert found.status == 200
    assert time.monotonic() - began > 2.0


# -- what was certainly not sent -------------------------------------------------------------------------------------


@every_sender
@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_whom_nobody_reached_was_sent_nothing(sender: Sender, host: str) -> None:
    host = f"{host}:{free_port()}"
    error = sender.failure(request(f"http://{host}/"))
    assert error.sent == "no"
    assert str(error).startswith(f"{host}: ")


@every_sender
def test_a_connection_that_does_not_come_about_in_time_was_sent_nothing(sender: Sender) -> None:
    """TLS that is never answered: the connection stands, the request cannot have left."""
    with Serving(holding) as server:
        error = sender.failure(request(server.url.replace("http:", "https:")), timeout_s=0.4)
    assert error.sent == "no"
    assert "in time" in str(error)


@every_sender
def test_a_head_that_could_not_go_out_as_one_was_not_sent(sender: Sender) -> None:
    """Values are checked long before; nothing that slips through begins a header of its own."""
    with Wire() as wire:
        one = request(wire.url, headers=(("X-A", "1\r\nX-Evil: 2"),))
        (found,) = sender.exchange(one)
        assert isinstance(found, TransportError)
        assert wire.asked == []


# -- what http1 can and httpx cannot ---------------------------------------------------------------------------


@every_http1_sender
def test_an_answer_during_a_long_request_ends_it(sender: Sender) -> None:
    """The server has read little and answers: that answer counts, the rest is not sent, the connection is closed."""
    read: list[int] = []

    def refuse(taken: socket.socket) -> None:
        taken.recv(1 << 16)
        taken.sendall(answer(413, b"too long"))
        length = 0
        with suppress(OSError):
            while piece := taken.recv(1 << 20):
                length += len(piece)
        read.append(length)

    with Serving(refuse, answering) as server:
        found = sender.exchange(
            request(server.url, body=b"x" * 50_000_000), request(server.url), timeout_s=20
        )
        assert [(one.status, one.body) for one in found if isinstance(one, Response)] == [
            (413, b"too long"),
            (200, b"{}"),
        ]
        assert server.connections == 2
    assert read[0] < 49_000_000


@every_http1_sender
@pytest.mark.parametrize(("kept_for_s", "connections"), [(1, 2), (60, 1)])
def test_a_connection_is_kept_as_long_as_the_server_says(
    sender: Sender, kept_for_s: int, connections: int
) -> None:
    with Wire(lambda asked: answer(200, b"{}", Keep_Alive=f"timeout={kept_for_s}, max=100")) as wire:
        sender.exchange(request(wire.url), request(wire.url), pause_s=0.01)
        assert wire.connections == connections


# -- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def certificates(authority: trustme.CA) -> Iterator[tuple[str, trustme.LeafCert]]:
    yield "another name", authority.issue_cert("example.org")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    yield "expired", authority.issue_cert("127.0.0.1", not_before=yesterday, not_after=yesterday)
    yield "an unknown authority", trustme.CA().issue_cert("127.0.0.1")


@every_sender
@pytest.mark.parametrize("at", range(3), ids=["another name", "expired", "an unknown authority"])
def test_a_server_that_cannot_prove_who_it_is_gets_nothing(
    sender: Sender, at: int, authority: trustme.CA
) -> None:
    _, certificate = list(certificates(authority))[at]
    with Wire(tls=serving(certificate)) as wire:
        error = sender.failure(request(wire.url), verify=trusting(authority))
        assert (error.sent, wire.asked) == ("no", [])
        assert str(error).startswith(f"127.0.0.1:{wire.port}: ")
        assert "certificate" in str(error)


@every_sender
def test_a_long_request_and_a_long_answer_go_through_tls(sender: Sender, authority: trustme.CA) -> None:
    body, content = bytes(range(256)) * 80_000, bytes(range(256)) * 30_000
    with Wire(lambda asked: answer(200, content), tls=serving(authority.issue_cert("127.0.0.1"))) as wire:
        one = request(wire.url, body=body)
        found = sender.exchange(one, one, verify=trusting(authority), timeout_s=30.0)
        assert [found.body == content for found in found if isinstance(found, Response)] == [True, True]
        assert [asked.body == body for asked in wire.asked] == [True, True]
        assert wire.connections == 1


@every_sender
def test_nobody_but_http_1_1_is_offered_in_tls(sender: Sender, authority: trustme.CA) -> None:
    context = serving(authority.issue_cert("127.0.0.1"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Wire(tls=context) as wire:
        assert sender.answer(request(wire.url), verify=trusting(authority)).status == 200


# -- hosts, cancelling, closing --------------------------------------------------------------------------------------


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@every_sender
@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_an_ipv6_address_is_a_host(sender: Sender) -> None:
    heads: list[bytes] = []

    def keep(taken: socket.socket) -> None:
        heads.append(read_request(taken))
        taken.sendall(answer())

    with Serving(keep, host="::1") as server:
        assert sender.answer(request(server.url + "/x")).status == 200
    assert heads[0].split(b"\r\n")[1] == f"Host: [::1]:{server.port}".encode()


@every_sender
def test_a_name_with_two_addresses_is_reached_at_the_one_that_answers(sender: Sender) -> None:
    """`localhost` is often ::1 first, where nobody listens here."""
    with Wire() as wire:
        url = wire.url.replace("127.0.0.1", "localhost")
        found = sender.exchange(request(url), request(url))
        assert [type(one) for one in found] == [Response, Response]


async def arrived(wire: Wire, count: int) -> None:
    while len(wire.asked) < count:  # noqa: ASYNC110 - another thread knows
        await asyncio.sleep(0.01)


@every_sender
def test_who_cancels_leaves_nothing_behind_and_the_next_request_goes_out(sender: Sender) -> None:
    async def main(url: str) -> tuple[int, int]:
        transport = sender.open(lanes=2)
        under_way = [asyncio.create_task(transport.send(request(url), NOTHING_ADDED)) for _ in range(4)]
        await arrived(wire, 2)
        for task in under_way:
            task.cancel()
        ended = await asyncio.gather(*under_way, return_exceptions=True)
        assert [type(one) for one in ended] == [asyncio.CancelledError] * 4
        answered = await transport.send(request(url), NOTHING_ADDED)
        await transport.close()
        return answered.status, len(asyncio.all_tasks())

    with Wire(lambda asked: Stall(30) if asked.number < 2 else answer()) as wire:
        assert sender.run(main(wire.url)) == (200, 1)
        assert len(wire.asked) == 3
    gc.collect()  # a connection that is left open warns when it is collected, and a warning fails the test


@every_sender
def test_closing_ends_what_is_under_way(sender: Sender) -> None:
    async def main(url: str) -> BaseException | Response:
        transport = sender.open()
        task = asyncio.create_task(transport.send(request(url), NOTHING_ADDED))
        await arrived(wire, 1)
        await transport.close()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        return ended

    with Wire(lambda asked: Stall(30)) as wire:
        ended = sender.run(main(wire.url))
    assert isinstance(ended, TransportError)
    assert ended.sent == "maybe"


CHILD = """
import asyncio, sys
from haulier.io.transports.choose import open_transport
from haulier.model.request import Added, Request
async def main():
    transport = open_transport("http1", in_flight=1, timeout_s=20.0)
    one = Request(number=0, positions=range(1), method="POST", url=sys.argv[1], headers=(), body=b"{}", length=2,
                  sha256=b"")
    response = await transport.send(one, Added())
    if sys.argv[3] == "closed":
        await transport.close()
    return response.status - 200
if sys.argv[2] == "uvloop":
    import uvloop
    new_loop = uvloop.new_event_loop
else:
    new_loop = asyncio.new_event_loop
with asyncio.Runner(loop_factory=new_loop) as runner:
    sys.exit(runner.run(main()))
"""


@pytest.mark.long
def test_two_hundred_short_processes_end_with_the_code_they_chose() -> None:
    """A hundred in a row on each loop; every other one leaves open what it opened."""

    def codes(loop: str) -> list[int]:
        with Wire(lambda asked: answer(200 + asked.number % 4)) as wire:
            return [
                subprocess.run(
                    [sys.executable, "-c", CHILD, wire.url, loop, "closed" if number % 2 else "left open"],
                    timeout=60,
                    check=False,
                ).returncode
                for number in range(100)
            ]

    with ThreadPoolExecutor(2) as rows:
        found = list(rows.map(codes, ["asyncio", "uvloop"]))
    assert found == [[number % 4 for number in range(100)]] * 2


# -- which one is taken ----------------------------------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules["httptools"] = sys.modules["uvloop"] = None
import haulier
from haulier.errors import ConfigurationError
from haulier.io.transports.choose import open_transport, transport_name
assert [transport_name(name) for name in ("auto", "httpx")] == ["httpx", "httpx"]
try:
    open_transport("http1", in_flight=1, timeout_s=1.0)
except ConfigurationError as error:
    assert "pip install 'haulier[fast]'" in str(error), error
else:
    sys.exit(1)
destination = {"name": "d", "request": {"method": "POST", "url": sys.argv[1]}}
assert haulier.plan(destination, [{"id": 1}]).transport == "httpx"
found = haulier.check({**destination, "transport": "http1"})
assert ["pip install 'haulier[fast]'" in problem for problem in found.problems] == [True], found
report = haulier.send(destination, [{"id": 1}], state=sys.argv[2])
sys.exit(0 if report.ok else 2)
"""


def test_everything_works_without_the_extra_but_http1_which_says_how_to_get_it(tmp_path: Path) -> None:
    with Wire() as wire:
        child = subprocess.run(
            [sys.executable, "-c", WITHOUT, wire.url, str(tmp_path)],
            timeout=60,
            check=False,
            capture_output=True,
        )
        assert (child.returncode, child.stderr.decode()) == (0, "")
        assert wire.bodies == [b'{"id":1}']


def test_with_the_extra_auto_is_http1() -> None:
    assert [transport_name(name) for name in ("auto", "http1", "httpx")] == ["http1", "http1", "httpx"]
