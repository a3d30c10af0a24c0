"""`code`: the payload is what a Python function makes of the records, run in a sandbox."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from haulier.authoring import GroupingAlgorithm, Portion, Program, Settings, Work

__all__ = ["CODE", "Code", "CodeSettings"]


class CodeSettings(Settings):
    """Settings of `code`."""

    code: str = Field(
        default="",
        description="the Python source, with a function `build(records, context)` that returns the payload",
    )
    file: str = Field(
        default="", description="or the file that holds it, a path below the project: `build.py`"
    )
    runner: Literal["sandbox", "trusted"] = Field(
        default="sandbox",
        description="`trusted` runs it in Haulier's own process with all that Python can; only where the command line "
        "says `--trust-code`, too",
    )
    seconds: float = Field(default=1.0, gt=0, le=60, description="longest time for a batch")
    memory_mb: int = Field(default=64, ge=4, le=2048, description="most memory for a batch, in MiB")
    recursion: int = Field(default=200, ge=10, le=5_000, description="most calls within calls")

    @model_validator(mode="after")
    def _one_place(self) -> CodeSettings:
        if bool(self.code.strip()) == bool(self.file):
            raise ValueError(
                "write either `code: |` with the source below it, or `file: build.py`, one of the two"
            )
        return self


class Code:
    """Has the program called with each batch, and waits for what it makes."""

    def __init__(self, settings: CodeSettings) -> None:
        """Take the checked settings; nothing is run or read here."""
        self.program = Program(
            source=settings.code,
            file=settings.file,
            runner=settings.runner,
            seconds=settings.seconds,
            memory_bytes=settings.memory_mb << 20,
            recursion=settings.recursion,
        )

    def build(self, items: Sequence[Any]) -> Generator[Work, tuple[Portion, ...], tuple[Portion, ...]]:
        """Return the payloads that the program returned."""
        made = yield Work(self.program, items)
        return made


CODE = GroupingAlgorithm(
    name="code",
    title="Code",
    description=(
        "The body is what a Python function of yours makes of the records: `def build(records, context)` returns a "
        "value that JSON can say, `Payload(bytes, media_type=...)`, or a list of `Payload(body, records=[0, 1])`, each "
        "naming the records it carries by their index. It runs in a sandbox without files, network or environment, "
        "within limits of time and memory."
    ),
    factory=Code,
    settings=CodeSettings,
    remakes=False,
    waits=True,
)
