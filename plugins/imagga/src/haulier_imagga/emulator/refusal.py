"""What an endpoint answers with besides a picture: a result, or no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["File", "Refusal", "Result"]

Result: TypeAlias = dict[str, Any]


class Refusal(Exception):
    """The service says no: the status, and the text of the envelope."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class File:
    """An answer that is no envelope but a file."""

    media_type: str
    data: bytes
