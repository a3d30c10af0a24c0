"""What an endpoint of the emulator is: one definition, with its sources and what they leave open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.refusal import File, Refusal, Result
from haulier_imagga.emulator.service import Service

__all__ = ["Endpoint", "File", "Mark", "Refusal", "Result"]

Mark = Literal["A", "B", "C", "?"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path with its methods.

    `answer` gives the envelope's `result` (None for an envelope without one), a file, or raises Refusal. `metered`
    calls count against the monthly limit once they succeed. `mark` says how well the endpoint is known: A by
    two independent sources or one of Imagga's, B by one good source, C inferred, ? not established; `unknown`
    what stays open, in a sentence.
    """

    path: str
    methods: tuple[str, ...]
    answer: Callable[[Service, Call], Result | File | None]
    mark: Mark
    sources: tuple[str, ...]
    unknown: str = ""
    metered: bool = False

    @property
    def title(self) -> str:
        """Methods, path and mark in one line."""
        return f"{'|'.join(self.methods)} {self.path} [{self.mark}]"
