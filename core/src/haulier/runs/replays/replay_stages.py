"""At which stage of a chain a dead letter goes on when it is replayed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

import msgspec

from haulier.errors import ConfigurationError
from haulier.io.ledger.onward import Onward
from haulier.io.ledger.rows import ReplayRow, RunRow
from haulier.io.ledger.view import LedgerView
from haulier.model.json_value import members_or_none

__all__ = ["begun_at"]

_encode = msgspec.json.Encoder().encode


def begun_at(
    view: LedgerView, letters: Iterator[ReplayRow], runs: Sequence[RunRow], stages: Sequence[str]
) -> Iterator[ReplayRow]:
    """The letters with the stage each of them goes on from, and through all that follow.

    That is the stage that rejected it; the first one where what that needs was cleaned up since. Those of one record
    (an answer made several of it) begin there as one. runs: that they are of; stages: the destination's of now.
    ConfigurationError where a stage is there no more.
    """
    begun: set[tuple[int, int, bytes]] = set()
    by_id = {run.id: run for run in runs}
    names = {run.id: [run.stage] for run in runs if not run.chain}
    for run in runs:
        if run.chain:
            names[run.chain].append(run.stage)
    for letter in letters:
        run = by_id[letter.parent]
        if not run.chain or run.stage == stages[0]:
            yield letter
        elif view.went_on(run, letter.parent_position):
            text = _without(letter.text, names[run.chain])
            origin = _origin(view, letter, run)
            record = (run.chain, origin.root, sha256(text).digest())
            yield msgspec.structs.replace(letter, text=text, included=record in begun)
            if origin.places:
                begun.add(record)
        elif run.stage not in stages:
            raise ConfigurationError(
                f"the record at position {letter.parent_position} of run {run.run_id} is to go on at stage "
                f"`{run.stage}`, which the destination has no more; put the stage back, or export its dead letters and "
                "send them as records"
            )
        else:
            origin = _origin(view, letter, run)
            yield msgspec.structs.replace(letter, stage=run.stage, root=origin.root, places=origin.places)


def _origin(view: LedgerView, letter: ReplayRow, run: RunRow) -> Onward:
    """Where a dead letter of a later stage came from; itself where the ledger has it no more."""
    at = letter.parent_position
    found = view.onward(run, at, stop=at + 1, most=1)
    return found[0] if found else Onward(position=at, root=at, places="", failed=None, fault=None, text=b"")


def _without(text: bytes, stages: Sequence[str]) -> bytes:
    """The record as the first stage had it."""
    record = members_or_none(text)
    if record is None:
        return text
    return _encode({name: value for name, value in record.items() if name not in stages})
