"""What became of each record of a chain, as one line for its outputs: when it has left the last stage, or ended before.

Every line has `id`, `run`, `stage` (where it ended), `positions` (its place in the input), `key`, `state`, `status` and
`attempts`; `reason` where it was not delivered; `places` where an answer made several records of one. What the endpoint
templates take out of the answers stands beside them under its own name, and `record` holds the attributes that any
stage sent. Outputs that ask for `answer` get `answers`: what each stage answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from haulier.model.answers import Condition
from haulier.model.json_value import decoded, members_or_none
from haulier.model.pointer import pick
from haulier.runs.outputs.routing import Routing

__all__ = ["Ended", "Joined", "Wish"]

_encode = msgspec.json.Encoder().encode


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A record that goes no further. place: its stage's run and its position there, which names the line.

    text: with what earlier stages answered; answer: of the stage it ended in, where that delivered it. failed: where
    and why it was rejected before what cleans up.
    """

    place: str
    stage: str
    root: int
    places: str
    text: bytes
    state: str
    status: int | None
    attempts: int
    reason: str = ""
    ticket: str = ""
    answer: bytes | None = None
    failed: str | None = None


class Wish(msgspec.Struct, frozen=True):
    """What an output asks for besides: attributes by name, and whole answers."""

    include: frozenset[str] = frozenset()
    answer: bool = False


class Joined:
    """wishes: of the outputs of the chain, in their order. takes: of each stage by name: name -> pointer into its
    answer; sent: whether any stage sends this attribute. conditions: which lines an output wants, None for all.
    """

    def __init__(
        self,
        wishes: Sequence[Wish],
        *,
        conditions: Sequence[Condition | None] = (),
        run_id: str,
        key: str | None,
        takes: Mapping[str, Mapping[str, str]],
        sent: Callable[[str], bool],
    ) -> None:
        self._groups: dict[Wish, list[int]] = {}
        for output, wish in enumerate(wishes):
            self._groups.setdefault(wish, []).append(output)
        self._routing = Routing(conditions)
        self._run_id = run_id
        self._key = key
        self._takes = takes
        self._sent = sent

    def remarks(self) -> tuple[str, ...]:
        """What the author of the outputs should know of the lines so far, in words."""
        return self._routing.remarks()

    def lines(self, ended: Ended) -> list[tuple[list[int], bytes]]:
        """(outputs, line) of a record that ended."""
        record = members_or_none(ended.text)
        answers = {name: record[name] for name in self._takes if record is not None and name in record}
        if ended.answer is not None:
            answers[ended.stage] = msgspec.Raw(ended.answer)
        line = self._line(ended, record) | self._taken(answers)
        found = []
        for wish, outputs in self._groups.items():
            told = line | self._record(ended, record, wish)
            text = _encode(told | {"answers": answers} if wish.answer else told)
            if wanted := self._routing.wanting(outputs, text):
                found.append((wanted, text))
        return found

    def _line(self, ended: Ended, record: Mapping[str, msgspec.Raw] | None) -> dict[str, Any]:
        line: dict[str, Any] = {"id": ended.place, "run": self._run_id, "stage": ended.stage}
        line["positions"] = [ended.root]
        if ended.places:
            line["places"] = [int(place) for place in ended.places.split(".")]
        line["key"] = record.get(self._key) if record is not None and self._key else None
        line |= {"state": ended.state, "status": ended.status, "attempts": ended.attempts}
        if ended.reason:
            line["reason"] = ended.reason
        if ended.ticket:
            line["ticket"] = ended.ticket
        return line | decoded(ended.failed) if ended.failed is not None else line

    def _taken(self, answers: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, answer in answers.items():
            if takes := self._takes.get(name):
                body = decoded(answer)
                found |= {word: pick(body, pointer) for word, pointer in takes.items() if word not in found}
        return {name: value for name, value in found.items() if value is not None}

    def _record(self, ended: Ended, record: Mapping[str, msgspec.Raw] | None, wish: Wish) -> dict[str, Any]:
        if record is None:
            return {"text": ended.text.decode("utf-8", "replace")} if ended.text else {}
        names = (name for name in record if name not in self._takes)
        return {"record": {name: record[name] for name in names if self._sent(name) or name in wish.include}}
