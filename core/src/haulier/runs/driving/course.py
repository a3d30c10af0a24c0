"""What a driver is told, and what it is fed: how a run is to go, and where its requests come from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from typing import Protocol

import msgspec

from haulier.delivery.judging import Judging
from haulier.delivery.retry import Policy
from haulier.io.ledger.rows import Unsettled
from haulier.model.block import Block
from haulier.model.parts import Added
from haulier.model.request import Request
from haulier.pipeline.planner import Planned

__all__ = ["Course", "Parked", "Source", "Taken"]


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """A request of an earlier sitting that is not sent again. texts: of its records, as far as they are known.

    changed: its records were given again, and another body comes of them now, or none.
    """

    left: Unsettled
    reason: str
    changed: bool = False
    texts: Sequence[bytes] = ()


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a block. block: None for requests that had waited for company until the end.

    rebuilt: requests of an earlier sitting, with the most telling status of their attempts there; parked: those that
    cannot be made again, with the reason; taken_apart: those that never left, whose records are planned anew, or
    rejected here.
    """

    block: Block | None
    planned: Planned
    rebuilt: Sequence[tuple[Request, int | None]] = ()
    parked: Sequence[Parked] = ()
    taken_apart: Sequence[Unsettled] = ()


class Source(Protocol):
    """Where planned requests come from."""

    def taken(self) -> AsyncIterator[Taken]:
        """What comes of each block, in order."""
        ...

    def parts(
        self,
        request: Request,
        places: Sequence[Sequence[int]],
        then: Callable[[list[Request] | None], None],
    ) -> None:
        """Requests of their own for some records of another, each of `places` by itself; `then` is given them.

        None where they do not all make one. It is called at once, or later where a grouping must wait.
        """
        ...

    @property
    def idle(self) -> bool:
        """Whether the next ones would have to be waited for."""
        ...

    def held(self) -> int | None:
        """Position of the oldest record not yet in a request."""
        ...


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """How a run is to be driven. window: intents committed together; ahead: most intents without outcome;
    stored: what of a request the ledger keeps.

    unfit: asked of blocks as they are taken in, as long as nothing was delivered: why none of it may be sent, or an
    empty text. run_key: names the run to people. max_in_flight: the most there can be; told: whether somebody said so.
    patience_s: longest wait a service may ask for. longest_s: of an exchange, see Overdue. lane: of requests of an
    equal one, only one is under way until it is settled. paused: asked now and then. max_rejected, stop_after,
    first_rejections: see StopRules.
    """

    judging: Judging
    policy: Policy
    max_in_flight: int
    told: bool
    patience_s: float
    longest_s: float
    authorize: Callable[[Request], Added]
    stored: Callable[[Request], bytes | None]
    paused: Callable[[], bool]
    lane: Callable[[Request], Hashable | None] | None = None
    unfit: Callable[[Block], str] | None = None
    run_key: str = ""
    window: int = 64
    ahead: int = 320
    max_rejected: str | None = None
    stop_after: int = 5
    first_rejections: int = 20
