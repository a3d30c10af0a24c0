"""A delivery under way: a request with its flow, and what came of its attempts so far."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

import msgspec

from haulier.delivery.retry import Exhausted, Flow
from haulier.io.ledger.rows import NOT_SENT, more_telling
from haulier.io.transports.protocol import Exchange
from haulier.model.request import Request

__all__ = ["Budget", "Delivery"]

_SPLITS_PER_BATCH = 64


class Budget:
    """How many more requests may be made by halving one batch."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


class Delivery(msgspec.Struct, gc=False, eq=False):
    """A request on its way: its flow, and what is known of its attempts so far.

    flow: None until there is more to decide than that a first attempt is made. tries: attempts so far, `spent` of them
    by the request it is a part of. began: when the last one left, by the loop's clock. status: what the last one came
    to, as `haulier.io.ledger.rows` has it; before: the most telling of those before, of earlier sittings as well.
    refusals: provisional ones of the run when its last attempt began. since: successes of the run when its first
    attempt began. exhausted: left by a first round. splits: budget of halvings, shared by all that came of one batch.
    lane: what it waits its turn in, or None. task: of the worker that carries it. exchange: the last one.
    """

    request: Request
    flow: Flow | None = None
    spent: int = 0
    tries: int = 0
    shared_splits: Budget | None = None
    status: int | None = NOT_SENT
    before: int | None = NOT_SENT
    refusals: int = 0
    since: int | None = None
    exhausted: Exhausted | None = None
    lane: Hashable | None = None
    began: float = 0.0
    task: asyncio.Task[None] | None = None
    exchange: Exchange | None = None

    @property
    def splits(self) -> Budget:
        """The budget of halvings."""
        if self.shared_splits is None:
            self.shared_splits = Budget(_SPLITS_PER_BATCH)
        return self.shared_splits

    @property
    def waits_first(self) -> bool:
        """Whether it is to wait when its turn comes, as a part does whose records were asked for again."""
        return self.flow is None and self.spent > 0

    @property
    def own_tries(self) -> int:
        """Attempts of this very request."""
        return self.tries - self.spent

    @property
    def left_status(self) -> int | None:
        """What the ledger keeps where the request is left for later: what may have been carried out stays so."""
        return more_telling(self.before, self.status)
