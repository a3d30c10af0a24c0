"""Answers joined to their records: the lines that outputs get.

One line a record where a request carries one record, else one line a request. Every line has `run`, `request`,
`positions`, `key` (or `keys`), `state`, `status` and `attempts`; what the endpoint template takes out of the answer
stands beside them under its own name (`upload_id`), so that the next destination reads the line as a record;
`record` holds the attributes that were sent, and those that the output asks for with `include`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from haulier.model.pointer import pick
from haulier.runs.book import Delivered

__all__ = ["Joining"]

_decode_record = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """key: attribute that names a record. takes: name -> JSON pointer into the answer.

    sent: decides which attributes of a record were sent; include: attributes wished for besides.
    """

    run_id: str
    key: str | None
    takes: Mapping[str, str]
    sent: Callable[[str], bool]
    single: bool
    include: frozenset[str] = frozenset()

    def lines(self, told: Delivered) -> list[bytes]:
        """The lines of one settled request, without line breaks."""
        records = [_read(text) for text in told.request.records]
        line: dict[str, Any] = {
            "run": self.run_id,
            "request": told.number,
            "positions": list(told.positions),
        }
        keys = [record.get(self.key) for record in records] if self.key else []
        if self.single:
            line["key"] = keys[0] if keys else None
        elif keys:
            line["keys"] = keys
        line |= {"state": told.state.name.lower(), "status": told.status, "attempts": told.attempts}
        if told.reason:
            line["reason"] = told.reason
        if told.ticket:
            line["ticket"] = told.ticket
        line |= self._taken(told)
        chosen = [self._chosen(record) for record in records]
        if self.single and chosen:
            line["record"] = chosen[0]
        elif chosen and any(chosen):
            line["records"] = chosen
        return [_encode(line)]

    def _taken(self, told: Delivered) -> dict[str, Any]:
        if told.response is None or not self.takes:
            return {}
        try:
            answer = _decode(told.response.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        found = {name: pick(answer, pointer) for name, pointer in self.takes.items()}
        return {name: value for name, value in found.items() if value is not None}

    def _chosen(self, record: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in record.items() if self.sent(name) or name in self.include}


def _read(text: bytes | None) -> Mapping[str, Any]:
    """The record again; a text that is none cannot have been sent and has no attributes."""
    try:
        return _decode_record(text) if text else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
