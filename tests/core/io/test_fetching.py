"""Files named by URL, over real sockets: what is fetched, from where, how it goes out, and what is refused."""

from __future__ import annotations

import gc
import gzip
import hashlib
import socket
import ssl
import threading
import time
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.core.runs.wire import Asked, Cut, Stall, Wire, answer
from tests.ports import free_port

from haulier.errors import RecordError, TransportError
from haulier.io.fetched import Fetched, Wanted
from haulier.io.fetching import Fetcher
from haulier.io.files import stream_part
from haulier.model.fetch import Fetch
from haulier.model.request import FilePart

PICTURE = b"\xff\xd8picture"


def fetched(folder: Path, url: str, **rules: Any) -> Fetched:
    """What comes of one URL; this machine is allowed unless the rules say otherwise."""
    rules = {"allow": ["127.0.0.1"], "attempts": 1, "timeout_s": 20, **rules}
    folder.mkdir(exist_ok=True)
    with closing(Fetcher(Fetch(**rules), folder / "fetched")) as fetcher:
        return fetcher.begin([Wanted(url, "0.0")]).result()[0]


def part(folder: Path, url: str, **rules: Any) -> FilePart:
    found = fetched(folder, url, **rules)
    assert isinstance(found, FilePart), found
    return found


def refused(folder: Path, url: str, **rules: Any) -> str:
    """Why a file is never fetched."""
    found = fetched(folder, url, **rules)
    assert isinstance(found, RecordError), found
    assert not list((folder / "fetched").glob("[0-9]*"))
    return str(found)


def unreached(folder: Path, url: str, **rules: Any) -> str:
    """Why a file could not be fetched this time."""
    found = fetched(folder, url, **rules)
    assert isinstance(found, TransportError), found
    return str(found)


def jpeg(_: Asked) -> bytes:
    return answer(body=PICTURE, media_type="image/jpeg; quality=9")


def leads(to: str, status: int = 302) -> Callable[[Asked], bytes]:
    return lambda _: answer(status, b"elsewhere", Location=to)


# -- what is fetched -------------------------------------------------------------------------------------------------


def test_a_file_is_kept_whole_with_its_type_and_the_last_part_of_its_path(tmp_path: Path) -> None:
    with Wire(jpeg) as wire:
        found = part(tmp_path, f"{wire.url}/shop/red%20shoe.jpg?size=large#top")
    assert (found.name, found.media_type, found.size) == ("red shoe.jpg", "image/jpeg", len(PICTURE))
    assert found.sha256 == hashlib.sha256(PICTURE).digest()
    assert b"".join(stream_part(found)) == PICTURE
    assert Path(found.path).stat().st_mode & 0o777 == 0o600


def test_a_request_for_a_file_carries_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://user:secret@127.0.0.1:1")
    with Wire(jpeg) as wire:
        part(tmp_path, f"{wire.url}/a%20b/ü.jpg?q=ä&r=%20")
        (asked,), port = wire.asked, wire.port
    assert (asked.method, asked.target) == ("GET", "/a%20b/%C3%BC.jpg?q=%C3%A4&r=%20")
    assert asked.headers == [
        ("Host", f"127.0.0.1:{port}"),
        ("User-Agent", "haulier"),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
    ]


def test_a_file_without_a_type_gets_that_of_its_ending(tmp_path: Path) -> None:
    with Wire(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc") as wire:
        assert part(tmp_path, f"{wire.url}/x.png").media_type == "image/png"


def test_several_files_are_fetched_at_once_and_come_in_order(tmp_path: Path) -> None:
    arrived = threading.Barrier(4)

    def reply(asked: Asked) -> bytes:
        arrived.wait(30)
        return answer(body=asked.target.encode())

    with Wire(reply) as wire, closing(Fetcher(Fetch(allow=["127.0.0.1"]), tmp_path / "fetched")) as fetcher:
        found = fetcher.begin([Wanted(f"{wire.url}/{number}", str(number)) for number in range(4)]).result()
    assert [b"".join(stream_part(one)) for one in found if isinstance(one, FilePart)] == [
        f"/{number}".encode() for number in range(4)
    ]


# -- where from ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]"])
def test_this_machine_is_never_connected_to_however_it_is_written(tmp_path: Path, host: str) -> None:
    with Wire(jpeg) as wire:
        why = refused(tmp_path, f"http://{host}:{wire.port}/secret?token=1", allow=[])
        assert wire.connections == 0
    assert "which is no public address; where files may be fetched from there all the same, write `" in why
    assert "token" not in why


def test_a_redirect_is_looked_at_like_the_first_url(tmp_path: Path) -> None:
    with Wire(jpeg) as inside, Wire(leads(f"http://127.0.0.1:{inside.port}/latest/meta-data")) as outside:
        why = refused(tmp_path, f"http://localhost:{outside.port}/a.jpg", allow=[f"localhost:{outside.port}"])
        assert inside.connections == 0
        assert len(outside.asked) == 1
        assert why.startswith(
            f"http://localhost:{outside.port}/a.jpg: it leads on to http://127.0.0.1:{inside.port}/latest/meta-data: "
            f"127.0.0.1:{inside.port} leads to 127.0.0.1, which is no public address; "
        )


def test_a_name_is_asked_for_once_and_its_public_address_is_the_one_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = socket.getaddrinfo, []

    def resolve(host: Any, *more: Any, **named: Any) -> Any:
        if host != "pictures.example":
            return real(host, *more, **named)
        asked.append(host)
        first = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [*real("10.255.255.1", *more, **named), *real(first, *more, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with Wire(jpeg) as wire:
        part(tmp_path, f"http://pictures.example:{wire.port}/a.jpg")
        assert wire.asked[0].header("host") == f"pictures.example:{wire.port}"
    assert asked == ["pictures.example"]


def test_redirects_are_followed_five_times_and_no_further(tmp_path: Path) -> None:
    def reply(asked: Asked) -> bytes:
        left = int(asked.target.strip("/"))
        return leads(f"/{left - 1}", (301, 302, 303, 307, 308)[left % 5])(asked) if left else jpeg(asked)

    with Wire(reply) as wire:
        assert part(tmp_path, f"{wire.url}/5").name == "5"
        assert "it leads on more than 5 times" in refused(tmp_path / "again", f"{wire.url}/6")
        assert len(wire.asked) == 12


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://127.0.0.1/a", "only http(s) URLs with a host are fetched"),
        ("file:///etc/passwd", "only http(s) URLs with a host are fetched"),
        ("http:///a", "only http(s) URLs with a host are fetched"),
        ("http://user:word@127.0.0.1/a", "holds a user name or password, which are not sent"),
        ("http://@127.0.0.1/a", "holds a user name or password, which are not sent"),
        ("http://127.0.0.1\\@example.com/a", "holds a space, a backslash or a control character"),
        ("http://127.0.0.1/a\r\nX: 1", "holds a space, a backslash or a control character"),
        ("http://127.0.0.1:99999/a", "is none that can be fetched; check its host and port"),
        ("http://[::1/a", "is none that can be fetched; check its host and port"),
    ],
)
def test_urls_that_are_no_plain_address_of_a_file_are_refused(tmp_path: Path, url: str, why: str) -> None:
    told = refused(tmp_path, url)
    assert why in told
    assert "word" not in told.replace("password", "")
    with Wire(leads(url)) as wire:
        if "\r" not in url and url != "http:///a":  # which leads to the same host
            assert why in refused(tmp_path / "led", f"{wire.url}/a")


# -- how much, and how long ------------------------------------------------------------------------------------------


def chunked(*pieces: bytes) -> bytes:
    said = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + said + b"0\r\n\r\n"


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",  # nothing is read of it
        chunked(*[b"x" * 100] * 11),
        answer(body=gzip.compress(b"\0" * 1_000_000), Content_Encoding="gzip"),
        answer(body=gzip.compress(gzip.compress(b"\0" * 1_000_000)), Content_Encoding="gzip, gzip"),
        answer(body=zlib.compress(b"\0" * 1_000_000), Content_Encoding="deflate"),
    ],
    ids=["told", "chunked", "gzip", "gzip twice", "deflate"],
)
def test_a_file_is_no_larger_than_allowed_neither_as_it_comes_nor_unpacked(
    tmp_path: Path, reply: bytes
) -> None:
    with Wire(lambda _: Cut(reply)) as wire:
        why = refused(tmp_path, f"{wire.url}/a?x", max_bytes=1000)
        assert why == f"{wire.url}/a: it has more than `fetch.max_bytes`: 1,000 bytes"


def test_the_largest_file_allowed_is_fetched_packed_or_not(tmp_path: Path) -> None:
    body = bytes(range(250)) * 4
    with Wire(lambda _: answer(body=body)) as plain:
        assert part(tmp_path, f"{plain.url}/a", max_bytes=1000).size == 1000
    with Wire(lambda _: answer(body=gzip.compress(body), Content_Encoding="gzip")) as packed:
        assert b"".join(stream_part(part(tmp_path, f"{packed.url}/a", max_bytes=1000))) == body


def test_what_was_packed_otherwise_or_is_broken_is_refused(tmp_path: Path) -> None:
    with Wire(lambda _: answer(body=b"abc", Content_Encoding="br")) as wire:
        assert "it came packed as 'br', which was not asked for" in refused(tmp_path, f"{wire.url}/a")
    with Wire(lambda _: answer(body=gzip.compress(b"abc" * 99)[:20], Content_Encoding="gzip")) as wire:
        assert "it is no gzip: the packed body breaks off" in refused(tmp_path, f"{wire.url}/a")


def test_a_server_that_drips_is_given_up_after_the_whole_time(tmp_path: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port, over = listening.getsockname()[1], threading.Event()

    def drip() -> None:
        taken, _ = listening.accept()
        with taken:
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b"x" * 9999:
                if over.wait(0.05):
                    return
                taken.sendall(bytes([byte]))

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    began = time.monotonic()
    try:
        why = unreached(tmp_path, f"http://127.0.0.1:{port}/a", timeout_s=1)
    finally:
        over.set()
        thread.join()
        listening.close()
    assert why == (
        f"http://127.0.0.1:{port}/a: it was not there whole after 1 s (`fetch.timeout_s`), 1 times"
    )
    assert time.monotonic() - began < 20  # 500 s would be right for a time-out of silence


# -- what may come right ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_may_come_right_is_tried_again(tmp_path: Path, status: int) -> None:
    with Wire(lambda asked: jpeg(asked) if asked.number == 2 else answer(status)) as wire:
        part(tmp_path, f"{wire.url}/a", attempts=3)
        assert len(wire.asked) == 3
    with Wire(lambda _: answer(status)) as wire:
        why = unreached(tmp_path, f"{wire.url}/a?secret", attempts=2)
        assert why == f"{wire.url}/a: its server answered {status}, 2 times"


@pytest.mark.parametrize("status", [201, 204, 304, 400, 403, 404, 410])
def test_what_will_not_come_right_is_refused_at_once(tmp_path: Path, status: int) -> None:
    with Wire(lambda _: answer(status, b"")) as wire:
        why = refused(tmp_path, f"{wire.url}/a", attempts=3)
        assert len(wire.asked) == 1
        assert why == (
            f"{wire.url}/a: its server answered {status}; give a URL that answers 200 with the file"
        )


def test_a_server_that_is_not_there_or_says_nothing_whole_is_tried_again(tmp_path: Path) -> None:
    assert "connection refused, 2 times" in unreached(
        tmp_path, f"http://127.0.0.1:{free_port()}/a", attempts=2
    )
    with Wire(lambda _: Cut(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")) as wire:
        unreached(tmp_path, f"{wire.url}/a", attempts=2)
        assert len(wire.asked) == 2
    with Wire(lambda _: Cut(b"garbage\r\n\r\n")) as wire:
        unreached(tmp_path, f"{wire.url}/a")


def test_closing_breaks_off_what_is_under_way(tmp_path: Path) -> None:
    with Wire(lambda _: Stall(60)) as wire:
        fetcher = Fetcher(Fetch(allow=["127.0.0.1"], timeout_s=60), tmp_path / "fetched")
        under_way = fetcher.begin([Wanted(f"{wire.url}/a", "a")])
        while not wire.asked:
            time.sleep(0.01)
        fetcher.close()
        with pytest.raises(CancelledError):
            under_way.result(20)
        with pytest.raises(CancelledError):
            fetcher.begin([Wanted(f"{wire.url}/b", "b")])


def test_whenever_it_is_closed_no_connection_stays_open(tmp_path: Path) -> None:
    """Downloads that wait for their turn begin none once those before them are broken off."""
    with Wire(jpeg) as wire, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResourceWarning)
        for number in range(60):
            before = len(wire.asked)
            fetcher = Fetcher(Fetch(allow=["127.0.0.1"], timeout_s=20), tmp_path / f"fetched{number}")
            under_way = fetcher.begin([Wanted(f"{wire.url}/{index}", f"{index}.0") for index in range(24)])
            while len(wire.asked) < before + number % 12:
                time.sleep(0.001)
            fetcher.close()
            for thread in threading.enumerate():
                if thread.name == "haulier-fetch":
                    thread.join(20)
            del fetcher, under_way
            gc.collect()
    assert [str(one.message) for one in told] == []


# -- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this test trusts."""
    found = trustme.CA()
    found.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return found


def serving(authority: trustme.CA, name: str, asked_for: list[str | None]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    context.sni_callback = lambda _, wanted, __: asked_for.append(wanted)
    return context


def test_a_server_proves_its_name_though_it_is_connected_to_by_address(
    tmp_path: Path, authority: trustme.CA
) -> None:
    asked_for: list[str | None] = []
    with Wire(jpeg, tls=serving(authority, "localhost", asked_for)) as wire:
        part(tmp_path, f"https://localhost:{wire.port}/a.jpg")
    assert asked_for == ["localhost"]
    with Wire(jpeg, tls=serving(authority, "other.example", asked_for)) as wire:
        assert "certificate" in unreached(tmp_path, f"https://localhost:{wire.port}/a.jpg")
        assert not wire.asked


def test_a_redirect_out_of_tls_is_refused(tmp_path: Path, authority: trustme.CA) -> None:
    with (
        Wire(jpeg) as plain,
        Wire(leads(f"{plain.url}/b?s"), tls=serving(authority, "localhost", [])) as wire,
    ):
        why = refused(tmp_path, f"https://localhost:{wire.port}/a.jpg")
        assert why.endswith(f"it leads from https to {plain.url}/b, where anybody may read along")
        assert not plain.asked
