"""Records without the attribute that names them, where answers speak of each by it: nobody could tell what became of
them, so that is found out before the first request leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain, islice

from haulier.delivery.judging import Judging
from haulier.delivery.stopping import SETTING_AT_FAULT
from haulier.model.block import Block
from haulier.model.closest import closest
from haulier.model.json_value import members_or_none
from haulier.model.pointer import names_of

__all__ = ["KeySearch", "key_search_of", "no_such_key"]

_LEAST = 20  # as many first requests stop a run that are all refused
_MOST_NAMES = 100  # of the attributes that are there, among which the one that is meant is looked for


def no_such_key(key: str, known: Collection[str], count: int) -> str:
    """In words, that none of so many records has the attribute `key`. known: those that they have."""
    close = closest(key, known)
    hint = f"did you mean `{close[0]}`?" if close else "is it spelt so?"
    return f"key: none of the first {count:,} records has the attribute `{key}`; {hint}"


class KeySearch:
    """Looks for the key in the first records of an input, until one has it.

    least: so many are looked at before anything is said; None where those that were read first together are enough.
    """

    def __init__(self, key: str, least: int | None) -> None:
        self._key = key
        self._least = least
        self._looked_at = 0
        self._over = False

    def __call__(self, block: Block) -> str:
        """Why nothing of the run may leave, or an empty text."""
        if self._over or not block.lines:
            return ""
        self._looked_at += len(block.lines)
        objects = filter(None, map(members_or_none, block.lines))
        self._over = any(one.get(self._key, b"null") != b"null" for one in objects)
        enough = self._looked_at >= self._least if self._least is not None else not block.more
        if self._over or not enough:
            return ""
        self._over = True
        return self._fault(block.lines)

    def _fault(self, lines: Sequence[bytes]) -> str:
        names = chain.from_iterable(filter(None, map(members_or_none, lines)))
        known = dict.fromkeys(islice(names, _MOST_NAMES))
        if not known:
            return ""  # no JSON objects: each is rejected by itself
        if self._key in known:
            told = f"key: `{self._key}` is null in each of the first {self._looked_at:,} records"
        else:
            told = f"{no_such_key(self._key, known, self._looked_at)} they have {names_of(known)}"
        return (
            f"{told}. `outcomes` finds each record's result by its key, so nobody could tell what became of any, "
            f"and none is sent: {SETTING_AT_FAULT}. Write the attribute that names a record as `key`"
        )


def key_search_of(judging: Judging, *, at_once: bool) -> KeySearch | None:
    """What looks for the key of the records of a run; None where no verdict on a success needs it.

    at_once: whether records are read many at once, so that the first ones that were tell of all.
    """
    outcomes, key = judging.outcomes, judging.key
    if outcomes is None or outcomes.by != "key" or key is None:
        return None
    if judging.judge is not None or any(200 <= status < 300 for status in judging.verdicts):
        return None
    return KeySearch(key, None if at_once else _LEAST)
