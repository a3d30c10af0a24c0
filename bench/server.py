"""The server that all tools send to: it reads the whole body before it answers, and counts what it received.

nginx does it where it is installed with the module `echo` (a plain `return 200` answers before the body is read).
Without it an asyncio server of our own stands in: the bench works with that, but nothing can be compared.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from processes import program, told_by

__all__ = ["SLOW_S", "Received", "Server", "nginx_version"]

SLOW_S = 0.05
_ANSWER = '{"status":"ok"}'
_WAIT_S = 10
# Beneath what any system hands to connections that ask for no port (Linux from 32768, others from 49152): a port from
# there is free when it is looked at, and may be another connection's own end when the server binds it.
_PORTS = range(20000, 32000)
_STAND_IN = Path(__file__).resolve().parent / "children" / "stand_in_server.py"


@dataclass(frozen=True)
class Received:
    """What the server counted. bytes: heads and bodies."""

    requests: int
    bytes: int


class Server:
    """A server of its own for one measurement, on a free port of the loopback. A context manager.

    kind: `plain`; `slow` answers after SLOW_S seconds; `tls` speaks HTTPS with `certificate`. The stand-in is plain.
    """

    def __init__(self, folder: Path, kind: str = "plain") -> None:
        self._folder = folder
        self._kind = kind
        self._log = folder / "sizes.log"
        self._port = _free_ports()
        self.url = f"{'https' if kind == 'tls' else 'http'}://127.0.0.1:{self._port}/records"
        self.certificate = _certificate(folder) if kind == "tls" else None
        self._status_port = self._port + 1 if kind == "tls" else self._port
        self._asked = 0
        stand_in = [sys.executable, str(_STAND_IN), str(self._port), str(self._log)]
        self._process = subprocess.Popen(self._nginx() if nginx_version() else stand_in, cwd=folder)

    def __enter__(self) -> Self:
        give_up = time.monotonic() + _WAIT_S
        while time.monotonic() < give_up:
            try:
                self._status()
            except OSError:
                time.sleep(0.01)
            else:
                return self
        self.__exit__()
        raise TimeoutError(f"the server did not start; see {self._folder}")

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)  # nginx: finish what is under way, write the logs, end
            try:
                self._process.wait(_WAIT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def pids(self) -> list[int]:
        """The server's processes."""
        return [self._process.pid, *_children_of(self._process.pid)]

    def requests(self) -> int:
        """Requests so far, while it runs; those that asked for this number are taken off."""
        return self._status() - self._asked

    def close(self) -> Received:
        """End it; what it received in all."""
        self.__exit__()
        sizes = self._log.read_bytes().split() if self._log.exists() else []
        return Received(len(sizes), sum(map(int, sizes)))

    def _status(self) -> int:
        with socket.create_connection(("127.0.0.1", self._status_port), timeout=_WAIT_S) as connection:
            connection.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
        self._asked += 1
        # https://nginx.org/en/docs/http/ngx_http_stub_status_module.html (accepts handled requests)
        return int(answer.partition(b"requests")[2].split()[2])

    def _nginx(self) -> list[str]:
        configuration = self._folder / "nginx.conf"
        listen = f"127.0.0.1:{self._port} backlog=1024"
        if self._kind == "tls":
            # The number of requests so far is asked for in the clear.
            listen += f" ssl; listen 127.0.0.1:{self._status_port}"
        configuration.write_text(
            _NGINX.format(
                module=_echo_module(),
                listen=listen,
                more=_TLS if self._kind == "tls" else "",
                before=f"echo_sleep {SLOW_S};" if self._kind == "slow" else "",
                answer=_ANSWER,
            )
        )
        return [program("nginx"), "-p", str(self._folder), "-c", str(configuration), "-e", "error.log"]


# The named location makes an ordinary answer with a Content-Length; `echo` itself would answer in chunks.
_NGINX = """\
load_module {module};
worker_processes 1;
daemon off;
pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
  log_format size $request_length;
  keepalive_requests 1000000000;
  client_max_body_size 64m;
  client_body_buffer_size 1m;
  client_body_temp_path temp_body;
  proxy_temp_path temp_proxy;
  fastcgi_temp_path temp_fastcgi;
  uwsgi_temp_path temp_uwsgi;
  scgi_temp_path temp_scgi;
  server {{
    listen {listen};
    {more}
    access_log off;
    location / {{ echo_read_request_body; {before} echo_exec @answer; }}
    location @answer {{
      access_log sizes.log size buffer=64k;
      default_type application/json;
      return 200 '{answer}';
    }}
    location = /status {{ stub_status; }}
  }}
}}
"""

_TLS = "ssl_certificate server.pem; ssl_certificate_key server.key;"


def _free_ports() -> int:
    """A port that nobody listens on, and neither on the next one."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
        return port


def _certificate(folder: Path) -> Path:
    """A certificate for the loopback that vouches for itself, made anew; its key lies beside it."""
    path = folder / "server.pem"
    asked = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    asked += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        ["openssl", *asked, "-keyout", str(folder / "server.key"), "-out", str(path)],
        check=True,
        capture_output=True,
    )
    return path


def nginx_version() -> str:
    """The version of nginx, where it and its module `echo` are installed; else empty."""
    return told_by("nginx", "-v").partition("nginx/")[2].split()[0] if _echo_module() else ""


def _echo_module() -> str:
    found = re.search(r"--modules-path=(\S+)", told_by("nginx", "-V"))
    module = Path(found[1]) / "ngx_http_echo_module.so" if found else None
    return str(module) if module is not None and module.exists() else ""


def _children_of(pid: int) -> list[int]:
    children: list[int] = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        if int(fields[1]) == pid:
            children.append(int(entry.name))
    return children
