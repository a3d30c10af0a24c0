"""Proxies of the environment: who is asked for what, over real sockets, and which transport serves."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress

import pytest
import trustme
from tests.core.io.transports import SENDERS, Serving, request
from tests.core.runs.wire import Wire, answer
from tests.ports import free_port

from haulier.errors import ConfigurationError, TransportError
from haulier.io.transports.choose import transport_name
from haulier.io.transports.proxies import proxy_of
from haulier.model.request import Response

HTTPX = SENDERS["httpx"]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("origin", "environment", "proxy"),
    [
        ("http://a.test", {}, None),
        ("http://a.test", {"http_proxy": "p:3128"}, "http://p:3128"),
        ("https://a.test", {"http_proxy": "p:3128"}, None),
        ("https://a.test", {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        ("https://a.test", {"all_proxy": "https://p"}, "https://p"),
        ("http://a.test", {"HTTP_PROXY": "p:3128"}, "http://p:3128"),
        ("http://a.test", {"HTTP_PROXY": "p:3128", "REQUEST_METHOD": "GET"}, None),
        ("http://a.test", {"http_proxy": "p", "no_proxy": "b.test, a.test"}, None),
        ("http://x.a.test", {"http_proxy": "p", "no_proxy": ".a.test"}, None),
        ("http://x.a.test", {"http_proxy": "p", "NO_PROXY": "a.test"}, None),
        ("http://ba.test", {"http_proxy": "p", "no_proxy": "a.test"}, "http://p"),
        ("http://a.test:8080", {"http_proxy": "p", "no_proxy": "a.test:80"}, "http://p"),
        ("http://a.test:8080", {"http_proxy": "p", "no_proxy": "a.test:8080"}, None),
        ("http://a.test", {"http_proxy": "p", "no_proxy": "*"}, None),
        ("http://127.0.0.1:8080", {"http_proxy": "p"}, None),
        ("http://localhost", {"http_proxy": "p"}, None),
        ("https://[::1]:1", {"https_proxy": "p"}, None),
    ],
)
def test_which_proxy_an_origin_has(origin: str, environment: dict[str, str], proxy: str | None) -> None:
    assert proxy_of(origin, environment) == proxy


def test_a_proxy_that_is_no_http_proxy_is_refused_and_its_password_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="socks5 proxy") as refused:
        proxy_of("https://a.test", {"all_proxy": "socks5://me:hidden@p:1080"})
    assert "hidden" not in str(refused.value)


def test_auto_takes_the_transport_that_knows_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "p:3128")
    found = [
        transport_name("auto", origin) for origin in ("http://a.test", "https://a.test", "http://127.0.0.1:1")
    ]
    assert found == ["httpx", "http1", "http1"]


def test_a_plain_request_goes_to_the_proxy_whole_with_its_target_byte_for_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Wire() as proxy:
        monkeypatch.setenv("http_proxy", f"me:secret@127.0.0.1:{proxy.port}")
        one = request("http://service.test:8080/v2/%2e%2e/x?q=%7B")
        assert [type(found) for found in HTTPX.exchange(one, one)] == [Response, Response]
        assert proxy.asked[0].head.decode().split("\r\n") == [
            "POST http://service.test:8080/v2/%2e%2e/x?q=%7B HTTP/1.1",
            "Host: service.test:8080",
            "Proxy-Authorization: Basic bWU6c2VjcmV0",
            "X-One: 1",
            "Content-Length: 7",
        ]
        assert proxy.connections == 1


class Tunnel:
    """A proxy's script: connects to a port of this machine, whatever host it is asked for."""

    def __init__(self, port: int) -> None:
        self.heads: list[bytes] = []
        self._port = port

    def __call__(self, taken: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += taken.recv(65536)
        self.heads.append(head)
        with socket.create_connection(("127.0.0.1", self._port)) as server:
            taken.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            back = threading.Thread(target=carry, args=(server, taken), daemon=True)
            back.start()
            carry(taken, server)
            back.join(10)


def carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def test_a_request_over_tls_goes_through_a_tunnel_that_sees_none_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = trustme.CA()
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("service.test").configure_cert(served)
    authority.configure_trust(trusting)
    with Wire(tls=served) as wire:
        tunnel = Tunnel(wire.port)
        with Serving(tunnel) as proxy:
            monkeypatch.setenv("https_proxy", proxy.url)
            one = request("https://service.test/x?y=1")
            found = HTTPX.exchange(one, one, verify=trusting)
            assert [type(one) for one in found] == [Response, Response]
            assert [asked.target for asked in wire.asked] == ["/x?y=1"] * 2
            assert proxy.connections == 1
    assert tunnel.heads[0].startswith(b"CONNECT service.test:443 HTTP/1.1\r\n")
    assert b"X-One" not in tunnel.heads[0]


def test_a_proxy_that_refuses_was_sent_nothing_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(taken: socket.socket) -> None:
        taken.recv(65536)
        taken.sendall(answer(407, b"who are you?"))

    with Serving(refuse) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        error = HTTPX.failure(request("https://service.test/"))
    assert error.sent == "no"
    assert "407" in str(error)


def test_a_proxy_that_is_not_there_was_sent_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{free_port()}")
    found = HTTPX.failure(request("http://service.test/"))
    assert isinstance(found, TransportError)
    assert found.sent == "no"
