"""What an endpoint of the emulator is: one definition, with its sources and what they leave open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from haulier_imagga.emulator.call import Call
    from haulier_imagga.emulator.service import Service

Result = dict[str, Any]
Mark = Literal["A", "B", "C", "?"]


class Refusal(Exception):
    """The service says no: the status, and the text of the envelope."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path with its methods.

    `answer` gives the envelope's `result` (None for an envelope without one) or raises Refusal. `metered`
    calls count against the monthly limit once they succeed. `mark` says how well the endpoint is known: A by
    two independent sources or one of Imagga's, B by one good source, C inferred, ? not established; `unknown`
    what stays open, in a sentence.
    """

    path: str
    methods: tuple[str, ...]
    answer: Callable[[Service, Call], Result | None]
    mark: Mark
    sources: tuple[str, ...]
    unknown: str = ""
    metered: bool = False

    @property
    def title(self) -> str:
        """Methods, path and mark in one line."""
        return f"{'|'.join(self.methods)} {self.path} [{self.mark}]"
