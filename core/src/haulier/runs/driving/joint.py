"""What stages of a chain have in common: limits, where they ask one service as one caller, and who goes first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from haulier.delivery.pacing import Pace, Pacing
from haulier.io.shared_limit import SharedLimit

__all__ = ["Depth", "Joint", "Place"]

_BUSY = 2  # times the requests in flight that a stage may have ready before the stages above it wait


class Joint:
    """Pacing and requests in flight of all stages with one origin and credential, and of a run without stages.

    share: a limit kept together with other processes. active: requests under way. wanted: a question about a job waits
    for a place, so that no request takes it.
    """

    def __init__(self, pace: Pace, share: SharedLimit) -> None:
        self.pacing = Pacing(pace)
        self.share = share
        self.active = 0
        self.wanted = False


class _Crew(Protocol):
    def pump(self) -> None: ...


class _Lagging(Protocol):
    @property
    def lag(self) -> int: ...


class Depth:
    """Depth first: what a later stage has ready leaves before an earlier one starts anything new.

    A record that has left one stage keeps its place among the requests in flight until the next one sends it. A stage
    at another service is waited for as soon as it has more ready than it can send at once.
    """

    def __init__(self, joints: Sequence[Joint]) -> None:
        self._joints = joints
        self._crews: list[_Crew] = []
        self._stages: list[_Lagging] = []

    def join(self, crew: _Crew, stage: _Lagging) -> None:
        """The crew of the next stage; stage: says how many requests are ready, or soon will be."""
        self._crews.append(crew)
        self._stages.append(stage)

    def is_last(self, at: int) -> bool:
        """Whether the stage at this place never waits for later ones."""
        return at + 1 == len(self._joints)

    def held(self, at: int) -> bool:
        """Whether the stage at this place must wait for later ones."""
        if self.is_last(at):
            return False
        own, ready = self._joints[at], 0
        for joint, stage in zip(self._joints[at + 1 :], self._stages[at + 1 :], strict=True):
            if joint is own:
                ready += stage.lag
            elif stage.lag >= _BUSY * joint.pacing.limit:
                return True
        return bool(ready) and own.active + ready >= own.pacing.limit

    def pump(self) -> None:
        """Something has changed: let all stages hand out what may leave now, the last one first."""
        for crew in reversed(self._crews):
            crew.pump()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stage stands in its chain, and what it has in common with the others. A run without stages has one.

    unproven: nothing came through this later stage yet, for which others are called; not of a replay, whose records
    were chosen. coming: counts its records that were not taken in yet; None for a first stage. quiet: waits until later
    stages are; None for a last one.
    """

    joint: Joint
    depth: Depth
    at: int = 0
    unproven: bool = False
    coming: Callable[[], int] | None = None
    quiet: Callable[[], Awaitable[None]] | None = None
