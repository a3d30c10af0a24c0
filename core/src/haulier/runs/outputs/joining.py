"""Answers joined to their records: the lines that outputs get.

One line a request, or one for each group of its records that came to the same where an answer speaks of them apart;
and one for each record that never became a request. Every line has `id`, `run`, `request`, `positions`, `key` (or
`keys`), `state`, `status` and `attempts`; what the endpoint template takes out of the answer stands beside them under
its own name (`upload_id`), so that the next destination reads the line as a record; `record` holds the attributes
that were sent, and those that the output asks for with `include`; `answer` the whole answer, where it asks for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from haulier.io.ledger.rows import Unsettled
from haulier.model.answers import Condition
from haulier.model.block import RejectedRecord
from haulier.model.json_value import NO_JSON, decoded, members_or_none
from haulier.model.pointer import pick
from haulier.model.request import Request, Response
from haulier.runs.driving.delivered import Delivered
from haulier.runs.outputs.routing import Routing

__all__ = ["Followed", "Joining", "Lines"]

_encode = msgspec.json.Encoder().encode

# What tells a receiver how to read an answer, how to find it at the service, and how hard it may be pressed.
_HEADERS = frozenset(
    {
        "content-type",
        "date",
        "etag",
        "location",
        "request-id",
        "retry-after",
        "x-correlation-id",
        "x-request-id",
    }
)
_HEADER_FAMILIES = ("ratelimit", "x-ratelimit")
_MOST_TEXT = 65_536


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """What a job came to that was followed.

    takes: what outputs get of the last answer; parts: what each record gets of it, None where it speaks of
    none. texts: of its records; empty where they are not known.
    """

    number: int
    positions: Sequence[int]
    texts: Sequence[bytes]
    state: str
    status: int | None
    attempts: int
    again: bool
    reason: str
    ticket: str
    response: Response | None
    takes: Mapping[str, str]
    parts: Sequence[Mapping[str, Any]] | None


class Joining(msgspec.Struct, frozen=True, kw_only=True):
    """key: attribute that names a record. takes: name -> JSON pointer into the answer.

    sent: decides which attributes of a record were sent; include: attributes wished for besides. answer: carry the
    whole answer on. saved: of an answer that is a file, where that is. single: requests carry one record each, so
    `key` and `record` instead of `keys` and `records`.
    """

    run_id: str
    key: str | None
    takes: Mapping[str, str]
    sent: Callable[[str], bool]
    single: bool
    include: frozenset[str] = frozenset()
    answer: bool = False
    saved: Callable[[Request, Response], str] | None = None

    def settled(self, told: Delivered) -> bytes:
        """The line of what came to rest, without its line break."""
        records = [members_or_none(text) or {} for text in told.records]
        line = self._line(told.number, told.positions, [record.get(self.key or "") for record in records])
        if len(told.positions) < len(told.request.positions):
            line["id"] += f".{told.positions[0]}"
        line |= {"state": told.state.name.lower(), "status": told.status, "attempts": told.attempts}
        if told.reason:
            line["reason"] = told.reason
        if told.ticket:
            line["ticket"] = told.ticket
        if told.response is not None:
            line |= self._of_answer(told.response, line)
            if self.saved is not None and (path := self.saved(told.request, told.response)):
                line["file"] = path
        return _encode(line | self._records(records))

    def unsent(self, rejected: RejectedRecord) -> bytes:
        """The line of a record that never became a request; its text where that is no JSON object."""
        text = rejected.line.decode("utf-8", "replace")
        # What is no UTF-8 may be JSON otherwise, whose members would be no text.
        record = members_or_none(rejected.line) if text.encode() == rejected.line else None
        line = self._line(None, [rejected.position], [record.get(self.key or "")] if record else [])
        line["id"] += f"record-{rejected.position}"
        line |= {"state": "rejected", "status": None, "attempts": 0, "reason": rejected.reason}
        if record is None:
            return _encode(line | {"text": text})
        return _encode(line | self._records([record]))

    def parked(self, left: Unsettled, reason: str, texts: Sequence[bytes]) -> bytes:
        """The line of a request of an earlier sitting that is not made again: its records are in doubt.

        texts: of its records; empty where they are not known.
        """
        records = [members_or_none(text) or {} for text in texts]
        line = self._line(left.number, left.positions, [record.get(self.key or "") for record in records])
        line |= {"state": "in_doubt", "status": left.status, "attempts": left.attempts, "reason": reason}
        return _encode(line | self._records(records))

    def followed(self, end: Followed) -> list[bytes]:
        """The lines of a job that was followed: one for each record where its result speaks of them, else one."""
        records = [members_or_none(text) or {} for text in end.texts]
        told: dict[str, Any] = {"state": end.state, "status": end.status, "attempts": end.attempts}
        if end.reason:
            told["reason"] = end.reason
        told["ticket"] = end.ticket
        if end.response is not None:
            told |= self._of_answer(end.response, told, end.takes if end.parts is None else {})
        mark = ":end:again" if end.again else ":end"
        if end.parts is None:
            keys = [record.get(self.key or "") for record in records]
            line = self._line(end.number, end.positions, keys) | told
            end_mark = "" if end.state == "accepted" else mark
            return [_encode({**line, "id": line["id"] + end_mark} | self._records(records))]
        lines = []
        for position, record, part in zip(end.positions, records, end.parts, strict=True):
            one = self._line(end.number, [position], [])
            one |= {"id": f"{one['id']}.{position}{mark}", "key": record.get(self.key or "")} | told
            one |= {name: value for name, value in part.items() if name not in one}
            lines.append(_encode(one | self._chosen(record)))
        return lines

    def _line(self, number: int | None, positions: Sequence[int], keys: list[Any]) -> dict[str, Any]:
        line: dict[str, Any] = {
            "id": f"{self.run_id}:{'' if number is None else number}",
            "run": self.run_id,
            "request": number,
            "positions": list(positions),
        }
        if self.single:
            line["key"] = keys[0] if keys and self.key else None
        elif keys and self.key:
            line["keys"] = keys
        return line

    def _of_answer(
        self, response: Response, line: Mapping[str, Any], takes: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        takes = self.takes if takes is None else takes
        if not (takes or self.answer):
            return {}
        try:
            body, parsed = decoded(response.body), True
        except NO_JSON:
            body, parsed = None, False
        found = {name: pick(body, pointer) for name, pointer in takes.items() if name not in line}
        taken = {name: value for name, value in found.items() if value is not None}
        return taken | {"answer": _whole(response, parsed=parsed)} if self.answer else taken

    def _chosen(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """The one record of a line, as far as outputs get it."""
        kept = {name: value for name, value in record.items() if self.sent(name) or name in self.include}
        return {"record": kept}

    def _records(self, records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        chosen = [self._chosen(record)["record"] for record in records]
        if self.single:
            return {"record": chosen[0]} if chosen else {}
        return {"records": chosen} if any(chosen) else {}


class Lines:
    """The lines of all outputs of a run, each with the outputs it goes to: made once where several want the same."""

    def __init__(
        self, wishes: Sequence[Joining], conditions: Sequence[Condition | None] = (), *, first: int = 0
    ) -> None:
        """wishes: what each output gets, in the order of the outputs; conditions: which lines, None for all.

        first: number of the first of them.
        """
        groups: dict[tuple[frozenset[str], bool], tuple[Joining, list[int]]] = {}
        for output, joining in enumerate(wishes, first):
            groups.setdefault((joining.include, joining.answer), (joining, []))[1].append(output)
        self._groups = list(groups.values())
        self._routing = Routing(conditions, first)

    def remarks(self) -> tuple[str, ...]:
        """What the author of the outputs should know of the lines so far, in words."""
        return self._routing.remarks()

    def _routed(self, outputs: list[int], line: bytes) -> list[tuple[list[int], bytes]]:
        """The line with those of its outputs that want it."""
        wanted = self._routing.wanting(outputs, line)
        return [(wanted, line)] if wanted else []

    def settled(self, told: Delivered) -> list[tuple[list[int], bytes]]:
        """(outputs, line) of what came to rest."""
        return [
            one for joining, outputs in self._groups for one in self._routed(outputs, joining.settled(told))
        ]

    def unsent(self, rejected: RejectedRecord) -> list[tuple[list[int], bytes]]:
        """(outputs, line) of a record that never became a request."""
        return [
            one
            for joining, outputs in self._groups
            for one in self._routed(outputs, joining.unsent(rejected))
        ]

    def followed(self, end: Followed) -> list[tuple[list[int], bytes]]:
        """(outputs, line) of a job that was followed."""
        return [
            one
            for joining, outputs in self._groups
            for line in joining.followed(end)
            for one in self._routed(outputs, line)
        ]

    def parked(self, left: Unsettled, reason: str, texts: Sequence[bytes]) -> list[tuple[list[int], bytes]]:
        """(outputs, line) of a request of an earlier sitting that is not made again."""
        return [
            one
            for joining, outputs in self._groups
            for one in self._routed(outputs, joining.parked(left, reason, texts))
        ]


def _whole(response: Response, *, parsed: bool) -> dict[str, Any]:
    """An answer as JSON: `body` where it was JSON itself, numbers as they were written, else `text`."""
    headers = {
        name: value
        for name, value in response.headers
        if name in _HEADERS or name.startswith(_HEADER_FAMILIES)
    }
    body = response.body
    if parsed:
        on_one_line = msgspec.json.format(body, indent=-1) if b"\n" in body or b"\r" in body else body
        return {"headers": headers, "body": msgspec.Raw(on_one_line)}
    if not body:
        return {"headers": headers}
    told = {"headers": headers, "text": body[:_MOST_TEXT].decode("utf-8", "replace")}
    return told | {"cut": True} if len(body) > _MOST_TEXT else told
