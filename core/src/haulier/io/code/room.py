"""The room of a program: its text, read where it stands, and who runs it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec

from haulier.errors import ConfigurationError, DestinationError
from haulier.io.code.sandbox import Sandbox
from haulier.io.code.trusted import Trusted
from haulier.io.doors import FolderDoors
from haulier.model.parts import Portion, Program, Work
from haulier.model.request import Positions

__all__ = ["CodeRoom", "loaded"]

_MOST_BYTES = 1 << 20


class Runner(Protocol):
    """Runs one program, from several threads at once."""

    def call(self, items: Sequence[Any], positions: Positions) -> tuple[Portion, ...]:
        """What it makes of a batch; RecordError where nothing."""
        ...

    def problems(self) -> list[str]:
        """What a check finds."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class CodeRoom:
    """A program ready to be run; a context manager. `carry` is safe to call from several threads.

    root: of the project, which `file` stays below. started: of the run, Unix seconds. trusted: whether the person at
    the keyboard lets code out of the sandbox. Raises ConfigurationError where it may not or cannot be run.
    """

    def __init__(self, program: Program, root: Path, started: float, *, trusted: bool) -> None:
        self.program = loaded(program, root)
        if program.runner == "trusted" and not trusted:
            raise ConfigurationError(
                "the grouping says `runner: trusted`: its code would run with all that you may do. If you have read it "
                "and trust it, say --trust-code; or write `runner: sandbox`"
            )
        kind = Trusted if program.runner == "trusted" else Sandbox
        self._runner: Runner = kind(self.program, started)

    @property
    def digest(self) -> str:
        """SHA-256 of its text, hexadecimal."""
        return sha256(self.program.source.encode()).hexdigest()

    def carry(self, work: Work, positions: Positions) -> tuple[Portion, ...]:
        """What the program makes of a batch; RecordError where nothing."""
        return self._runner.call(work.items, positions)

    def problems(self) -> list[str]:
        """What a type check of the program finds."""
        return self._runner.problems()

    def close(self) -> None:
        """Let go of its processes."""
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def loaded(program: Program, root: Path) -> Program:
    """The program with its text; DestinationError where its file cannot be read."""
    if not program.file:
        return program
    try:
        with FolderDoors(root).open_read(program.file) as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise DestinationError(f"{program.file} is larger than {_MOST_BYTES:,} bytes")
        return msgspec.structs.replace(program, source=content.decode())
    except OSError as error:
        raise DestinationError(f"{program.file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DestinationError(f"{program.file} is not UTF-8") from None
