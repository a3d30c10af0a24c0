"""The command line as people use it: real processes in a real project, against a real local server."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from tests.commands import COMMAND, run_command

__all__ = ["COMMAND", "Answer", "Project", "Result", "Server", "wait_for"]

# What an answer needs and a project does not: nothing of the person who runs the tests leaks in.
LEFT_OUT = (
    "HAULIER_PLUGINS",
    "HAULIER_DEBUG",
    "EDITOR",
    "VISUAL",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
)


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Project:
    """A project folder and the command line in it."""

    root: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
        return {**kept, "COLUMNS": "100", **more}

    def run(self, *words: str, typed: str = "", **environment: str) -> Result:
        ended = run_command(words, cwd=self.root, env=self.environment(**environment), stdin=typed.encode())
        result = Result(ended.returncode, ended.stdout.decode(), ended.stderr.decode())
        assert "Traceback" not in result.out + result.err, result.err
        return result

    def start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(**environment),
        )
        self.started.append(process)
        return process

    def destination(self, name: str, text: str) -> None:
        (self.root / "destinations" / f"{name}.yaml").write_text(text)

    def post(self, name: str, url: str, more: str = "") -> None:
        """A destination by hand that posts each record as JSON."""
        self.destination(name, f"request: {{method: POST, url: '{url}'}}\n{more}")

    def records(self, count: int, name: str = "records.jsonl") -> str:
        path = self.root / name
        path.write_text("".join(f'{{"sku": "S-{number}", "n": {number}}}\n' for number in range(count)))
        return name


Answer: TypeAlias = tuple[int, dict[str, str], bytes]


@dataclass
class Server:
    """A local HTTP server that keeps what it was sent. reply: path and body -> status, headers, body."""

    url: str
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    reply: Callable[[str, bytes], Answer] = lambda path, body: (200, {}, b"{}")

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, _, body in self.seen]


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until something holds; fail after a minute."""
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
