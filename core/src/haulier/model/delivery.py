"""What can be said of a request once it was tried: verdicts, and the states a record can be in."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Literal, TypeAlias

import msgspec

from haulier.model.request import Request, Response

__all__ = ["ACCEPTED", "DELIVERED", "Judge", "Outcomes", "State", "Stop", "Verdict", "VerdictKind"]

VerdictKind: TypeAlias = Literal["delivered", "accepted", "retry", "rejected", "unknown"]


class State(IntEnum):
    """Where a record stands in the ledger; the numbers are the ledger's and never change."""

    PENDING = 0
    SENDING = 1
    DELIVERED = 2
    ACCEPTED = 3
    REJECTED = 4
    IN_DOUBT = 5

    @property
    def settled(self) -> bool:
        """Whether this run will not send the record again by itself."""
        return self >= State.DELIVERED


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a judge says of the records of a request. wait_s: seconds the service asked to be left alone.

    split: only together were the records refused; halves of them may pass. general: it may speak of the service, the
    address or the credential rather than of the records.
    """

    kind: VerdictKind
    reason: str = ""
    wait_s: float | None = None
    ticket: str = ""
    split: bool = False
    general: bool = False


class Outcomes(msgspec.Struct, frozen=True, gc=False):
    """What an answer says of each record of a request by itself, in the order of the positions."""

    verdicts: list[Verdict]


class Stop(msgspec.Struct, frozen=True, gc=False):
    """A judge's word for the whole run: stop, resumably; the request's records stay unsettled."""

    reason: str


DELIVERED = Verdict("delivered")
ACCEPTED = Verdict("accepted")

# A template's own judge: called with an answer before the default rules; None leaves the answer to them.
Judge: TypeAlias = Callable[[Request, Response], Verdict | Outcomes | Stop | None]
