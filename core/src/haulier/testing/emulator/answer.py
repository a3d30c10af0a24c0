"""A whole answer as bytes, so that a fault can hold it back, cut it short or throw it away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

RawHeaders = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers as (name, value) bytes, and body."""

    status: int
    headers: RawHeaders
    body: bytes

    @classmethod
    def of(cls, response: Response) -> Answer:
        """The answer a (not streaming) Starlette response makes."""
        return cls(response.status_code, tuple(response.raw_headers), bytes(response.body))

    def with_headers(self, added: Mapping[str, str]) -> Answer:
        """The same answer; headers of the same names give way to `added`."""
        if not added:
            return self
        new = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in added.items()]
        names = {name for name, _ in new}
        return Answer(self.status, (*_without(self.headers, names), *new), self.body)

    def cut_short(self) -> Answer:
        """Headers that promise the whole body (at least one byte), and its first half."""
        length = str(max(1, len(self.body))).encode()
        headers = (*_without(self.headers, {b"content-length"}), (b"content-length", length))
        return Answer(self.status, headers, self.body[: len(self.body) // 2])


def _without(headers: RawHeaders, names: Iterable[bytes]) -> RawHeaders:
    unwanted = set(names)
    return tuple((name, value) for name, value in headers if name.lower() not in unwanted)
