"""Following in a chain: the jobs of one stage are asked for while it, and what comes after it, is under way.

A record goes on to the next stage with the final result of its job only. The result, the states of its records and the
records they become are one transaction, so no crash comes between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import msgspec

from haulier.io.ledger.ids import NUMBER
from haulier.io.ledger.onward import Onward
from haulier.io.ledger.rows import Commit, Job, RunRow
from haulier.io.ledger.store import LedgerView
from haulier.model.delivery import State
from haulier.model.request import Response
from haulier.runs.driving.delivered import owed_lines
from haulier.runs.driving.joint import Joint
from haulier.runs.driving.orders import Orders
from haulier.runs.inputs.positions import stretches
from haulier.runs.jobs.follow import Follower
from haulier.runs.jobs.keeping import followed_of
from haulier.runs.jobs.questions import Questioner
from haulier.runs.stages.legs import Leg
from haulier.runs.stages.passing import Passing

__all__ = ["JointTurns", "StageFollowing", "StageKeeping", "jobs_reader", "left_unfollowed"]

_LOOK_S = 0.01  # how often a place in flight is looked for
_WAY_OUT = "to begin a new job: haulier dead-letters replay {name} --only in_doubt"

# Numbers of requests, None for all -> their jobs, and where the records they carry come from, by position.
ReadJobs = Callable[[Sequence[int] | None], tuple[list[Job], dict[int, Onward]]]


def jobs_reader(state_dir: Path, row: RunRow) -> ReadJobs:
    """Reads the jobs of a stage over a connection of its own, in whatever thread; raises LedgerError."""

    def read(numbers: Sequence[int] | None) -> tuple[list[Job], dict[int, Onward]]:
        view = LedgerView.open(state_dir)
        try:
            jobs = view.jobs(row, numbers=numbers)
            # Of those that came up in this sitting, it is known where they come from.
            earlier = jobs if numbers is None else []
            spans = [span for job in earlier for span in stretches(job.positions)]
            found = [view.onward(row, span.start, stop=span.stop, most=len(span)) for span in spans]
        finally:
            view.close()
        return jobs, {one.position: msgspec.structs.replace(one, text=b"") for some in found for one in some}

    return read


async def left_unfollowed(state_dir: Path, row: RunRow) -> str:
    """Why a run cannot end where the jobs of a stage are not to be followed; an empty text where there are none."""
    jobs, _ = await asyncio.to_thread(jobs_reader(state_dir, row), None)
    return _not_at_end(row.stage, sum(len(job.positions) for job in jobs), "run again without --no-follow")


def _not_at_end(stage: str, records: int, way_out: str) -> str:
    if not records:
        return ""
    return f"the jobs of {records:,} records of stage `{stage}` are not at their end yet: {way_out} to go on"


class JointTurns:
    """Questions among the requests of a joint: in its pacing and its places in flight, before requests that wait.

    changed: called when requests may leave again. hopeless: told why none will be for too long.
    """

    def __init__(self, joint: Joint, changed: Callable[[], None], hopeless: Callable[[str], None]) -> None:
        self._joint, self._changed, self._hopeless = joint, changed, hopeless

    def take(self, now: float) -> float:
        """0 where a question may leave now, which is taken as said; else the seconds after which to ask again."""
        joint, pacing = self._joint, self._joint.pacing
        joint.wanted = True
        if joint.active >= pacing.limit:
            return _LOOK_S
        if (wait := pacing.wait(now)) > 0:
            if why := pacing.hopeless(now):
                self._hopeless(why)
            return wait
        interval_s = pacing.shared_interval_s(now)
        if interval_s and (wait := joint.share.turn(interval_s)) > 0:
            return wait
        pacing.started(now)
        joint.active += 1
        joint.wanted = False
        self._changed()
        return 0.0

    def answered(self, began: float, now: float, response: Response | None) -> None:
        """The question that had its turn has its answer, or none."""
        self._joint.active -= 1
        self._joint.pacing.answered(began, now, response)
        self._changed()

    def give_up(self) -> None:
        """No question waits for its turn any more."""
        self._joint.wanted = False
        self._changed()


class StageKeeping:
    """Jobs and results of a stage. write: writes a commit of this stage, with what `passing` has made for it.

    trail: where records under way come from; those that an earlier sitting left are read from the ledger.
    """

    def __init__(
        self,
        read: ReadJobs,
        trail: dict[int, Onward],
        questioner: Questioner,
        passing: Passing,
        *,
        write: Callable[[Commit, Passing], Awaitable[None]],
        redact: Callable[[str], str],
    ) -> None:
        self._read, self._trail = read, trail
        self._questioner, self._passing = questioner, passing
        self._write, self._redact = write, redact
        self._fresh: list[int] | None = None  # None: whatever the ledger has

    def accepted(self, numbers: Sequence[int]) -> None:
        """These requests were accepted, durably."""
        if self._fresh is not None:
            self._fresh += numbers

    async def jobs(self) -> list[Job]:
        """Those of an earlier sitting at first, then those that have come up since."""
        wanted, self._fresh = self._fresh, []
        if wanted is not None and not wanted:
            return []
        jobs, origins = await asyncio.to_thread(self._read, wanted)
        for position, origin in origins.items():
            self._trail.setdefault(position, origin)
        return jobs

    def tell(self, commit: Commit, job: Job, state: State, reason: str, response: Response | None) -> None:
        """Put the lines of what ends with this job into a commit; what goes on is with `passing`.

        Of what stays accepted nobody hears: the run is not at its end.
        """
        if state == State.ACCEPTED:
            return
        end = followed_of(self._questioner, job, state, reason, response)
        owed = owed_lines(self._passing.followed(end, state), self._redact)
        commit.owed += [(-1, output, line) for output, line in owed]  # numbered when it is written

    async def commit(self, commit: Commit) -> None:
        """Return when it is durable."""
        await self._write(commit, self._passing)


class StageFollowing:
    """The follower of a stage, beside its driver. left: told of how many records the jobs were not at their end."""

    def __init__(
        self,
        orders: Orders,
        at: int,
        leg: Leg,
        questioner: Questioner,
        keeping: StageKeeping,
        turns: JointTurns,
        *,
        redact: Callable[[str], str],
    ) -> None:
        self._keeping, self._turns = keeping, turns
        self._name = leg.resolved.name
        self._follower = Follower(
            leg.row,
            questioner,
            keeping,
            turns,
            orders.authorities[at],
            redact=redact,
            way_out=_WAY_OUT.format(name=orders.destination.name),
            grows=True,
        )

    def stop(self, reason: str) -> None:
        """End after the question that is under way; resumable."""
        self._follower.stop(reason)

    def durable(self, commit: Commit) -> None:
        """A commit of the stage is durable: what it accepted is asked for from now on."""
        if commit.jobs:
            self._keeping.accepted([id & NUMBER for id, *_ in commit.jobs])
            self._follower.look()

    async def beside(
        self, driving: Coroutine[Any, Any, None], failed: Callable[[BaseException], None]
    ) -> str:
        """Drive the stage and follow its jobs to their end; why the run cannot end yet, or an empty text.

        failed: told at once of what goes wrong with following; it is raised when the stage has come to rest.
        """
        following = asyncio.create_task(self._follower.run())

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                failed(error)

        following.add_done_callback(ended)
        try:
            await driving
            self._follower.close()
            await following
        finally:
            following.cancel()
            self._turns.give_up()
        if self._follower.stop_reason:
            return self._follower.stop_reason
        return _not_at_end(self._name, self._follower.left, "run again")
