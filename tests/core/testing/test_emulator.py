"""An emulator made with the kit, over real sockets and, where a process matters, in one of its own."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from haulier.testing.emulator import BasicAuth, Clock, Emulator, EmulatorError, Fault, Limits, Server, serve

HANDLED: list[str] = []


async def echo(request: Request) -> Response:
    body = await request.body()
    HANDLED.append(request.url.path)
    return JSONResponse({"user": request.scope["user"], "size": len(body), "padding": "x" * 100})


async def teapot(request: Request) -> Response:
    raise HTTPException(418, "short and stout", headers={"X-Spout": "yes"})


async def broken(request: Request) -> Response:
    raise LookupError("a bug of the emulator's author")


def made(**settings: Any) -> Emulator:
    routes = [
        Route("/echo", echo, methods=["GET", "POST"]),
        Route("/teapot", teapot),
        Route("/broken", broken),
    ]
    return Emulator("Echo", routes, **settings)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Emulator, Server]]:
    emulator = made()
    with serve(emulator) as server:
        yield emulator, server


@pytest.fixture
def emulator(running: tuple[Emulator, Server]) -> Emulator:
    HANDLED.clear()
    running[0].faults.clear()
    running[0].log.clear()
    return running[0]


@pytest.fixture
def server(running: tuple[Emulator, Server]) -> Server:
    return running[1]


def ask(
    server: Server, target: str = "/echo", method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in lower case, and body of one request."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    try:
        connection.request(method, target, body or None, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def exchange(server: Server, sent: bytes) -> tuple[bytes, str]:
    """All bytes the server sends, and how the connection ended: closed, reset, or open after half a minute."""
    received = b""
    with socket.create_connection((server.host, server.port)) as sock:
        sock.settimeout(30.0)
        sock.sendall(sent)
        try:
            while chunk := sock.recv(65536):
                received += chunk
        except ConnectionResetError:
            return received, "reset"
        except TimeoutError:
            return received, "open"
        return received, "closed"


GET = b"GET /echo HTTP/1.1\r\nHost: here\r\n\r\n"


def test_a_request_is_answered_and_logged_exactly_as_it_was_sent(emulator: Emulator, server: Server) -> None:
    lines = ["Host: here", "X-OdD-caSe: Ü", "Content-Length: 3", "Connection: close"]
    head = "\r\n".join(["POST /echo?a=%2F&b=%20 HTTP/1.1", *lines, "", ""])
    answer, end = exchange(server, head.encode("latin-1") + b"abc")
    assert (answer.partition(b"\r\n")[0], end) == (b"HTTP/1.1 200 OK", "closed")
    [entry] = emulator.requests
    assert (entry.number, entry.method, entry.target) == (1, "POST", "/echo?a=%2F&b=%20")
    assert entry.headers == tuple(tuple(line.split(": ")) for line in lines)
    assert (entry.body, entry.body_size, entry.parts) == (b"abc", 3, None)
    assert (entry.outcome, entry.status) == ("answered", 200)


def test_an_unhandled_drop_closes_the_connection_before_the_service_did_anything(
    emulator: Emulator, server: Server
) -> None:
    emulator.faults.add(Fault.dropped())
    assert exchange(server, GET) == (b"", "closed")
    assert HANDLED == []
    assert [(entry.outcome, entry.status) for entry in emulator.requests] == [("dropped", None)]


def test_an_unanswered_drop_closes_the_connection_after_the_work_was_done(
    emulator: Emulator, server: Server
) -> None:
    emulator.faults.add(Fault.dropped("unanswered"))
    assert exchange(server, GET) == (b"", "closed")
    assert HANDLED == ["/echo"]


def test_a_partial_drop_promises_the_whole_body_and_closes_in_its_middle(
    emulator: Emulator, server: Server
) -> None:
    emulator.faults.add(Fault.dropped("partial"))
    received, end = exchange(server, GET)
    head, _, body = received.partition(b"\r\n\r\n")
    assert end == "closed"
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 135" in head
    assert len(body) == 67
    assert [(entry.outcome, entry.status) for entry in emulator.requests] == [("partial", 200)]


@pytest.mark.parametrize("drop", ["unhandled", "unanswered", "partial"])
def test_a_drop_can_be_a_tcp_reset(emulator: Emulator, server: Server, drop: Any) -> None:
    emulator.faults.add(Fault.dropped(drop, reset=True))
    assert exchange(server, GET)[1] == "reset"


def test_a_dropped_connection_leaves_the_others_alone(emulator: Emulator, server: Server) -> None:
    emulator.faults.add(Fault.dropped(nth=2))
    assert [ask(server)[0], exchange(server, GET), ask(server)[0]] == [200, (b"", "closed"), 200]


def test_a_status_fault_answers_in_the_words_of_the_service(emulator: Emulator, server: Server) -> None:
    emulator.faults.add(Fault.refused(503, retry_after=7))
    status, headers, body = ask(server)
    assert (status, headers["retry-after"], json.loads(body)) == (503, "7", {"error": "a planned fault"})
    assert HANDLED == []


def test_a_status_fault_may_bring_its_own_body(emulator: Emulator, server: Server) -> None:
    emulator.faults.add(
        Fault(status=500, body={"a": [1]}),
        Fault(status=400, body="plain"),
        Fault.html(502),
        Fault.redirected("http://127.0.0.2/elsewhere", 307),
    )
    answers = [ask(server) for _ in range(4)]
    assert [(status, headers["content-type"]) for status, headers, _ in answers[:3]] == [
        (500, "application/json"),
        (400, "text/plain; charset=utf-8"),
        (502, "text/html; charset=utf-8"),
    ]
    assert [body for _, _, body in answers[:2]] == [b'{"a":[1]}', b"plain"]
    assert answers[2][2].startswith(b"<!doctype html>")
    assert (answers[3][0], answers[3][1]["location"]) == (307, "http://127.0.0.2/elsewhere")


def test_a_delay_holds_the_answer_back_after_the_work_was_done(emulator: Emulator, server: Server) -> None:
    emulator.faults.add(Fault.delayed(0.3))
    started = time.monotonic()
    assert ask(server)[0] == 200
    assert time.monotonic() - started >= 0.3
    assert HANDLED == ["/echo"]


def test_a_client_that_leaves_during_a_delay_is_logged_as_left(emulator: Emulator, server: Server) -> None:
    emulator.faults.add(Fault.delayed(60))
    with socket.create_connection((server.host, server.port)) as sock:
        sock.sendall(GET)
        wait_until(lambda: emulator.in_flight == 1)
    wait_until(lambda: [(entry.outcome, entry.status) for entry in emulator.requests] == [("left", None)])
    assert emulator.in_flight == 0


def test_refusals_of_every_kind_speak_as_the_service_does(
    emulator: Emulator, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    answers = {path: ask(server, path) for path in ("/nowhere", "/echo/", "/teapot", "/broken")}
    assert {path: (status, json.loads(body)) for path, (status, _, body) in answers.items()} == {
        "/nowhere": (404, {"error": "Not Found"}),
        "/echo/": (404, {"error": "Not Found"}),
        "/teapot": (418, {"error": "short and stout"}),
        "/broken": (500, {"error": "the emulator failed; its log says why"}),
    }
    assert answers["/teapot"][1]["x-spout"] == "yes"
    assert [record.getMessage() for record in caplog.records] == ["the emulator Echo failed at /broken"]
    status, headers, _ = ask(server, method="DELETE")
    assert (status, headers["allow"]) in [(405, "GET, POST"), (405, "POST, GET")]


def test_a_body_above_the_cap_is_refused() -> None:
    with serve(made(max_body_bytes=10)) as server:
        assert ask(server, method="POST", body=b"x" * 10)[0] == 200
        assert ask(server, method="POST", body=b"x" * 11)[0] == 413


def test_a_user_signs_in_and_gets_the_headers_of_signed_in_users() -> None:
    emulator = made(auth=BasicAuth({"key": "secret"}), signed_in_headers=lambda user: {"X-Left": f"{user} 9"})
    right = "Basic " + base64.b64encode(b"key:secret").decode()
    wrong = "Basic " + base64.b64encode(b"key:guess").decode()
    with serve(emulator) as server:
        status, headers, body = ask(server, Authorization=right)
        assert (status, headers["x-left"], json.loads(body)["user"]) == (200, "key 9", "key")
        assert ask(server, "/nowhere", Authorization=right)[1]["x-left"] == "key 9"
        for refused in (ask(server), ask(server, Authorization=wrong)):
            assert (refused[0], refused[1]["www-authenticate"]) == (401, 'Basic realm="emulator"')
            assert "x-left" not in refused[1]
    assert [entry.user for entry in emulator.requests] == ["key", "key", None, None]


def test_requests_above_the_rate_get_429_until_the_clock_moves() -> None:
    clock = Clock.virtual()
    emulator = made(clock=clock, limits=Limits(requests_per_second=2, retry_after_s=1))
    with serve(emulator) as server:
        assert [ask(server)[0] for _ in range(3)] == [200, 200, 429]
        assert ask(server)[1]["retry-after"] == "1"
        clock.advance(1)
        assert ask(server)[0] == 200


def test_requests_above_the_limit_in_flight_get_429() -> None:
    emulator = made(limits=Limits(max_in_flight=1), faults=[Fault.delayed(1.0)])
    with serve(emulator) as server:
        slow = threading.Thread(target=ask, args=(server,))
        slow.start()
        wait_until(lambda: emulator.in_flight == 1)
        assert ask(server)[0] == 429
        slow.join()
        assert ask(server)[0] == 200
    assert emulator.peak_in_flight == 2


def test_a_stalled_request_does_not_hold_up_the_end_of_the_server() -> None:
    emulator = made(faults=[Fault.delayed(3600)])
    with serve(emulator) as server:
        sock = socket.create_connection((server.host, server.port))
        sock.sendall(GET)
        wait_until(lambda: emulator.in_flight == 1)
        started = time.monotonic()
    assert time.monotonic() - started < 20
    sock.settimeout(20.0)
    assert sock.recv(1) == b""
    sock.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port))


def test_answers_on_a_kept_connection_come_at_once(emulator: Emulator, server: Server) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    took: list[float] = []
    for _ in range(50):
        started = time.monotonic()
        connection.request("GET", "/echo")
        connection.getresponse().read()
        took.append(time.monotonic() - started)
    connection.close()
    # Head and body are two writes; held back until the client acknowledges, each answer would take 40 ms. On a machine
    # under load some take as long for other reasons, and never most of them.
    assert sorted(took)[10] < 0.030


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com", "localhost", "::", ""])
def test_only_a_loopback_address_is_bound(host: str) -> None:
    with pytest.raises(EmulatorError, match="a loopback address only"), serve(made(), host=host):
        pass


def test_another_loopback_address_is_another_origin() -> None:
    with serve(made(), host="127.0.0.2") as server:
        assert server.url == f"http://127.0.0.2:{server.port}"
        assert ask(server)[0] == 200


def test_a_port_that_is_taken_is_refused_by_number(server: Server) -> None:
    with pytest.raises(EmulatorError, match=f"port {server.port}"), serve(made(), port=server.port):
        pass


def steer(server: Server, target: str, change: object = None, method: str = "POST") -> Any:
    body = b"" if change is None else json.dumps(change).encode()
    status, _, answer = ask(server, f"/_emulator{target}", method, body, Content_Type="application/json")
    return json.loads(answer) if status == 200 else (status, json.loads(answer)["error"])


def test_faults_are_steered_from_another_process(emulator: Emulator, server: Server) -> None:
    assert steer(server, "/faults", {"status": 503, "count": 2}) == [{"status": 503, "count": 2}]
    assert steer(server, "/faults", [{"drop": "partial"}])[1] == {"drop": "partial"}
    assert [ask(server)[0], ask(server)[0]] == [503, 503]
    assert steer(server, "/faults", method="GET") == [{"drop": "partial"}]
    assert steer(server, "/faults", method="DELETE") == []
    assert ask(server)[0] == 200


def test_requests_are_read_from_another_process(emulator: Emulator, server: Server) -> None:
    ask(server, "/echo?q=1", "POST", b"text", Authorization="Basic c2VjcmV0")
    [entry] = steer(server, "/requests", method="GET")
    assert (entry["method"], entry["target"], entry["status"]) == ("POST", "/echo?q=1", 200)
    assert (entry["body_text"], entry["body_size"]) == ("text", 4)
    assert "c2VjcmV0" not in json.dumps(entry)
    assert steer(server, "/requests", method="DELETE") == []
    assert emulator.requests == []


def test_clock_and_limits_are_steered_from_another_process() -> None:
    emulator = made(clock=Clock.virtual())
    with serve(emulator) as server:
        assert steer(server, "/clock", {"advance_s": 60})["now"] == 60
        moved = steer(server, "/clock", {"set": "2026-01-31T00:00:00Z"})
        assert moved == {"now": 1769817600, "iso": "2026-01-31T00:00:00+00:00", "virtual": True}
        assert emulator.clock.now() == 1769817600
        limits = {"requests_per_second": 1, "max_in_flight": None, "retry_after_s": None}
        assert steer(server, "/limits", {"requests_per_second": 1}) == limits
        assert [ask(server)[0], ask(server)[0]] == [200, 429]
        about = steer(server, "", method="GET")
        assert (about["name"], about["requests"], about["limits"]) == ("Echo", 2, limits)


@pytest.mark.parametrize(
    ("target", "change", "named"),
    [
        ("/faults", {"nth": 0}, "1 or more"),
        ("/faults", "@/etc/hostname", "no fault can be read"),
        ("/clock", {}, "exactly one of advance_s and set"),
        ("/clock", {"advance_s": -1}, "-1"),
        ("/clock", {"advance": 1}, "advance"),
        ("/limits", {"max_in_flight": 0}, "above 0"),
    ],
)
def test_steering_that_does_not_hold_is_refused_by_name(
    emulator: Emulator, server: Server, target: str, change: object, named: str
) -> None:
    status, text = steer(server, target, change)
    assert status == 400
    assert named in text


def test_a_fault_file_is_never_read_for_another_process(emulator: Emulator, server: Server) -> None:
    status, _, body = ask(
        server, "/_emulator/faults", "POST", b"@/etc/hostname", Content_Type="application/json"
    )
    assert (status, json.loads(body)["error"][:24]) == (400, "faults are sent as JSON;")


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Content_Type": "text/plain"}, "application/json"),
        ({"Content_Type": "application/json", "Host": "evil.example"}, "evil.example"),
        ({"Content_Type": "application/json", "Origin": "http://evil.example"}, "web page"),
    ],
)
def test_a_web_page_cannot_steer_an_emulator(
    emulator: Emulator, server: Server, headers: dict[str, str], named: str
) -> None:
    status, _, body = ask(server, "/_emulator/faults", "POST", b'{"status": 500}', **headers)
    assert status == 403
    assert named in json.loads(body)["error"]
    assert emulator.faults.left() == []


def test_steering_is_neither_logged_nor_faulted_nor_limited(emulator: Emulator, server: Server) -> None:
    emulator.faults.add(Fault(status=500, count=None))
    assert steer(server, "", method="GET")["requests"] == 0
    assert emulator.requests == []


def wait_until(holds: Any, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it did not come true in time"
        time.sleep(0.005)


PROGRAM = textwrap.dedent(
    """
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from haulier.testing.emulator import Emulator, run_forever

    emulator = Emulator("Tiny", [Route("/", lambda request: PlainTextResponse("tiny"))])
    run_forever(emulator, on_ready=lambda server: print(server.url, flush=True))
    print("ended", flush=True)
    """
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_forever_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], **pipes) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rsplit(b":", 1)[1])
            kept_open = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            kept_open.request("GET", "/")
            assert kept_open.getresponse().read() == b"tiny"
            os.kill(process.pid, number)
            assert process.communicate(timeout=60) == (b"ended\n", b"")
            kept_open.close()
        finally:
            process.kill()
    assert process.returncode == 0


def test_importing_haulier_testing_needs_no_starlette() -> None:
    program = "import sys, haulier.testing; sys.exit('starlette' in sys.modules or 'uvicorn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_missing_extra_is_named_with_the_command_that_installs_it() -> None:
    program = textwrap.dedent(
        """
        import importlib.util as util
        found = util.find_spec
        util.find_spec = lambda name, *rest: None if name == "uvicorn" else found(name, *rest)
        try:
            import haulier.testing.emulator
        except ImportError as error:
            print(type(error).__name__, error)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "MissingExtraError an emulator needs uvicorn, which is not installed: "
        "pip install 'haulier[emulator]'\n"
    )
