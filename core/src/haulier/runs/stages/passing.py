"""Passing on: what a stage of a chain makes of an answer for the next one, and which records end here.

A record that goes on is the record that came, with one attribute more: named as the stage, holding what it answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from haulier.delivery.judging import Judging
from haulier.io.ledger.onward import Onward
from haulier.io.ledger.rows import OnwardRow, RunRow, Unsettled
from haulier.model.block import RejectedRecord
from haulier.model.delivery import State
from haulier.model.json_value import NO_JSON, decoded
from haulier.model.pointer import pick
from haulier.model.request import Request, Response
from haulier.runs.driving.delivered import Delivered
from haulier.runs.outputs.joined import Ended, Joined
from haulier.runs.outputs.joining import Followed, Lines
from haulier.runs.resolving.resolved import Resolved

__all__ = ["Passing"]

Line = tuple[list[int], bytes]

_encode = msgspec.json.Encoder().encode
_NOTHING = b"null"


class Passing:
    """One stage's: the lines of what ends here, and the records for the stages that follow.

    at: the place of the stage among `stages`; rows: their runs. trail: of records under way, by position, where they
    come from; the first stage has none. own: makes the lines of the stage's own outputs. joined: those of the chain's.
    redact: takes secrets out of answers. announce: told of records for the stage at a place, before they are durable.
    """

    def __init__(
        self,
        at: int,
        stages: Sequence[Resolved],
        rows: Sequence[RunRow],
        *,
        trail: dict[int, Onward],
        own: Lines | None,
        joined: Joined | None,
        redact: Callable[[str], str],
        announce: Callable[[int, int], None],
    ) -> None:
        self._at = at
        self._stages = stages
        self._rows = rows
        self._trail = trail
        self._own = own
        self._joined = joined
        self._redact = redact
        self._announce = announce
        self._judging: Judging = stages[at].judging()
        self._made: list[OnwardRow] = []

    # -- what the book asks for ----------------------------------------------------------------------------------

    def anything(self) -> bool:
        """Whether records go on that were not taken yet."""
        return bool(self._made)

    def take(self) -> list[OnwardRow]:
        """Records that go on, since the last time."""
        made, self._made = self._made, []
        return made

    def settled(self, told: Delivered) -> list[Line]:
        """Of records that came to rest: those that go on are kept for `take`, of the others come the lines."""
        lines = self._own.settled(told) if self._own is not None else []
        delivered = told.state == State.DELIVERED
        answers = list(self._answers(told)) if delivered else [None] * len(told.positions)
        return lines + self._came_to(told, told.records, told.state, answers)

    def followed(self, end: Followed, state: State) -> list[Line]:
        """Of records whose job is at its end: as of those that came to rest at once."""
        lines = self._own.followed(end) if self._own is not None else []
        answers: list[bytes | None] = [None] * len(end.positions)
        if state == State.DELIVERED and end.parts is not None:
            answers = [self._clean(_encode(part)) for part in end.parts]
        elif state == State.DELIVERED and end.response is not None:
            answers = [self._clean(end.response.body)] * len(end.positions)
        return lines + self._came_to(end, end.texts, state, answers)

    def _came_to(
        self,
        told: Delivered | Followed,
        texts: Sequence[bytes],
        state: State,
        answers: Sequence[bytes | None],
    ) -> list[Line]:
        """The lines of those that end here; those that go on are kept for `take`."""
        lines: list[Line] = []
        for position, text, answer in zip(
            told.positions, texts or [b""] * len(told.positions), answers, strict=True
        ):
            ended = Ended(
                place=f"{self._rows[self._at].run_id}:{position}",
                stage=self._stages[self._at].name,
                root=position,
                places="",
                text=text,
                state=state.name.lower(),
                status=told.status,
                attempts=told.attempts,
                reason=told.reason,
                ticket=told.ticket,
                answer=answer,
            )
            lines += self._rest(position, state, ended)
        return lines

    def unsent(self, rejected: RejectedRecord) -> list[Line]:
        """Of a record that never became a request."""
        lines = self._own.unsent(rejected) if self._own is not None else []
        return lines + self._rest(
            rejected.position,
            State.REJECTED,
            self._without_request(rejected.position, rejected.line, "rejected", rejected.reason),
        )

    def parked(self, left: Unsettled, reason: str, texts: Sequence[bytes]) -> list[Line]:
        """Of a request of an earlier sitting that is not made again."""
        lines = self._own.parked(left, reason, texts) if self._own is not None else []
        for position, text in zip(left.positions, texts or [b""] * len(left.positions), strict=True):
            ended = self._without_request(position, text, "in_doubt", reason)
            ended = msgspec.structs.replace(ended, status=left.status, attempts=left.attempts)
            lines += self._rest(position, State.IN_DOUBT, ended)
        return lines

    # -- where a record goes -------------------------------------------------------------------------------------

    def _rest(self, position: int, state: State, ended: Ended) -> list[Line]:
        origin = self._trail.pop(position, None)
        failed = None
        if origin is not None:
            failed = origin.failed
            ended = msgspec.structs.replace(
                ended, root=origin.root, places=origin.places, failed=origin.failed
            )
        to = self._next(state, failed=failed is not None)
        if to is not None and self._go_on(position, state, to, ended):
            return []
        return self._joined.lines(ended) if self._joined is not None else []

    def _next(self, state: State, *, failed: bool) -> int | None:
        """The stage that a record comes to after this one; None where it ends here.

        What is accepted or in doubt may still be at work at the service with what a clean-up would take away.
        """
        at, after = self._at, range(self._at + 1, len(self._stages))
        if state == State.DELIVERED and not failed:
            return at + 1 if after else None
        if state == State.DELIVERED or (state == State.REJECTED and at > 0):
            return next((to for to in after if self._cleans_up(to)), None)
        return None

    def _cleans_up(self, to: int) -> bool:
        stage = self._stages[to].stage
        return stage is not None and stage.after == "settled"

    def _go_on(self, position: int, state: State, to: int, ended: Ended) -> bool:
        """Make the records for a later stage; False where the answer makes none."""
        failed = ended.failed
        if state == State.REJECTED and failed is None:
            failed = _encode(
                {
                    "stage": ended.stage,
                    "state": ended.state,
                    "status": ended.status,
                    "attempts": ended.attempts,
                    "reason": ended.reason,
                }
            ).decode()
        each = None
        if state == State.DELIVERED and ended.failed is None:
            stage = self._stages[to].stage
            each = stage.each if stage is not None else None
        parts, fault = _parts(ended.answer, each)
        for place, answer in enumerate(parts):
            places = ended.places
            if each is not None:
                places = f"{places}.{place}" if places else str(place)
            self._made.append(
                OnwardRow(
                    run=self._rows[to].id,
                    parent=self._rows[self._at].id,
                    parent_position=position,
                    place=place,
                    root=ended.root,
                    places=places,
                    failed=failed,
                    fault=fault and f"stage `{ended.stage}` {fault}",
                    text=ended.text if answer is None else _with(ended.text, ended.stage, answer),
                )
            )
        if parts:
            self._announce(to, len(parts))
        return bool(parts)

    def _without_request(self, position: int, text: bytes, state: str, reason: str) -> Ended:
        return Ended(
            place=f"{self._rows[self._at].run_id}:{position}",
            stage=self._stages[self._at].name,
            root=position,
            places="",
            text=text,
            state=state,
            status=None,
            attempts=0,
            reason=reason,
        )

    # -- what a stage answered -----------------------------------------------------------------------------------

    def _answers(self, told: Delivered) -> Iterator[bytes]:
        """What the answer says of each record that it delivered, as JSON on one line."""
        response = told.response
        if response is None:
            yield from [_NOTHING] * len(told.positions)
            return
        items = self._items(told.request, response, told.positions)
        if items is None:
            yield from [self._clean(response.body)] * len(told.positions)
        else:
            yield from (self._clean(_encode(item)) for item in items)

    def _items(self, request: Request, response: Response, positions: Sequence[int]) -> list[Any] | None:
        items = self._judging.items(request, response)
        if items is None or len(positions) == len(request.positions):
            return items
        places = {position: place for place, position in enumerate(request.positions)}
        return [items[places[position]] for position in positions]

    def _clean(self, body: bytes) -> bytes:
        """An answer as it may be kept: JSON on one line, without secrets; null where it is none."""
        try:
            text = self._redact(body.decode()).encode()
            decoded(text)
        except NO_JSON:
            return _NOTHING
        return msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text


def _parts(answer: bytes | None, each: str | None) -> tuple[Sequence[bytes | None], str | None]:
    """(what each record is to hold of the answer, why that cannot be sent)."""
    if each is None or answer is None:
        return [answer], None
    found = pick(decoded(answer), each)
    if not isinstance(found, list):
        return [answer], f"answered without a list at {each or 'its top'}, which `each` names"
    return [_encode(one) for one in found], None


def _with(text: bytes, name: str, answer: bytes) -> bytes:
    """A record with one attribute more, every byte of the others as it was."""
    opened = text.strip()[:-1].rstrip()
    comma = b"" if opened.endswith(b"{") and not opened[1:].strip() else b","
    return b'%s%s"%s":%s}' % (opened, comma, name.encode(), answer)
