"""A page carried out: its commands in a folder of their own, with the haulier of this environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.blocks import REPOSITORY, Block, blocks_of, commands_of, difference
from tests.ports import free_port

# What pages write for the ports of servers that they start.
PORTS = ("8123", "8124")
_LONGEST_S = 60


def follow(page: Path, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
    """Carry out a page in this folder, with these variables beside; AssertionError names what does not hold."""
    walkthrough = Walkthrough(folder, environment=environment)
    try:
        walkthrough.carry_out(page)
    finally:
        walkthrough.close()


class Walkthrough:
    """Carries out blocks. folder: where it begins; `cd` moves on from there."""

    def __init__(self, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._environment = {**_clean_environment(), **(environment or {})}
        self._ports = {port: str(free_port()) for port in PORTS}
        self._running: list[subprocess.Popen[str]] = []
        self._printed = ""

    def carry_out(self, page: Path) -> None:
        """Every marked block of a page, in order; AssertionError names the line that does not hold."""
        for block in blocks_of(page):
            self._block(block, f"{page.relative_to(REPOSITORY)}:{block.line}")

    def close(self) -> None:
        """End what runs in the background."""
        while self._running:
            process = self._running.pop()
            process.terminate()
            process.communicate(timeout=_LONGEST_S)

    def _block(self, block: Block, place: str) -> None:
        word, _, rest = block.mark.partition(": ")
        if word == "file":
            path = self.folder / rest
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._here(block.text), encoding="utf-8")
        elif word == "background":
            self._background(block)
        elif word == "stop":
            self.close()
        elif word == "run" and block.language == "python":
            self._printed = self._python(block, place)
        elif word == "output":
            assert not (why := difference(block.text, self._printed)), f"{place}: {why}"
        elif word == "run":
            self._console(block, place, int(rest.removeprefix("exit ")) if rest else 0)

    def _console(self, block: Block, place: str, last_code: int) -> None:
        commands = list(commands_of(block))
        for number, (command, shown) in enumerate(commands, 1):
            if command.startswith("cd "):
                self.folder = (self.folder / command[3:]).resolve()
                continue
            code, real = self._run(["bash", "-c", self._here(command)])
            wanted = last_code if number == len(commands) else 0
            assert code == wanted, f"{place}: `{command}` ended with {code}, not {wanted}:\n{real}"
            if shown.strip():
                assert not (why := difference(shown, real)), f"{place}: `{command}`\n{why}"

    def _python(self, block: Block, place: str) -> str:
        code, real = self._run([sys.executable, "-c", self._here(block.text)])
        assert code == 0, f"{place}: ended with {code}:\n{real}"
        return real

    def _background(self, block: Block) -> None:
        (command,) = [command for command, _ in commands_of(block)]
        process = subprocess.Popen(
            ["bash", "-c", f"exec {self._here(command)}"],
            cwd=self.folder,
            env={**self._environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._running.append(process)
        assert process.stdout is not None
        assert "http" in process.stdout.readline(), f"`{command}` did not start"

    def _run(self, words: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
        return done.returncode, done.stdout

    def _here(self, text: str) -> str:
        for port, free in self._ports.items():
            text = text.replace(port, free)
        return text


def _clean_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAULIER", "IMAGGA"))}
    scripts = str(Path(sys.executable).parent)
    return {**kept, "PATH": f"{scripts}{os.pathsep}{kept.get('PATH', '')}", "COLUMNS": "80"}
