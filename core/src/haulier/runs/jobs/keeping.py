"""What a follower of a whole run keeps: its jobs from the ledger, and what came of them in it, a commit each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import Commit, Job, RunRow
from haulier.io.shared_limit import SharedLimit
from haulier.model.delivery import State
from haulier.model.request import Response
from haulier.runs.driving.delivered import owed_lines
from haulier.runs.jobs.questions import Questioner
from haulier.runs.outputs.joining import Followed, Lines

__all__ = ["RunKeeping", "Spaced", "followed_of"]


class Spaced:
    """Turns of a follower that is alone: so many seconds apart, and in the limit that all share. interval_s 0: none."""

    def __init__(self, share: SharedLimit, interval_s: float) -> None:
        self._share, self._interval_s = share, interval_s
        self._next = 0.0

    def take(self, now: float) -> float:
        """0 where a question may leave now, which is taken as said; else the seconds after which to ask again."""
        wait = self._next - now
        if wait <= 0 and self._interval_s:
            wait = self._share.turn(self._interval_s)
        if wait > 0:
            return wait
        self._next = now + self._interval_s
        return 0.0

    def answered(self, began: float, now: float, response: Response | None) -> None:
        """Nothing follows from it."""


class RunKeeping:
    """Jobs and results of a run that is finished but for them. paid: lines that outputs have made durable since.

    lines: what outputs are told; owe: handed each commit that is durable. lost: give jobs, too, whose answer was lost.
    """

    def __init__(
        self,
        ledger: Store,
        run: RunRow,
        questioner: Questioner,
        *,
        lines: Lines | None,
        redact: Callable[[str], str],
        lost: bool,
    ) -> None:
        self._ledger, self._run, self._questioner = ledger, run, questioner
        self._lines, self._redact, self._lost = lines, redact, lost
        self._seq = max((newest for _, newest in ledger.owing(run).values()), default=-1) + 1
        self.paid: list[int] = []
        self.owe: Callable[[Commit], None] | None = None

    async def jobs(self) -> list[Job]:
        """All that are to be asked for."""
        return self._ledger.jobs(self._run, lost=self._lost)

    def tell(self, commit: Commit, job: Job, state: State, reason: str, response: Response | None) -> None:
        """Put the lines of a job that came to this into a commit."""
        if self._lines is None:
            return
        end = followed_of(self._questioner, job, state, reason, response)
        owed = owed_lines(self._lines.followed(end), self._redact)
        commit.owed += [(seq, output, line) for seq, (output, line) in enumerate(owed, self._seq)]
        self._seq += len(owed)

    async def commit(self, commit: Commit) -> None:
        """Return when it is durable, with what outputs have taken since."""
        commit.paid, self.paid[:] = list(self.paid), []
        await asyncio.to_thread(self._ledger.commit, self._run.id, [commit])
        if self.owe is not None:
            self.owe(commit)

    async def settle_debts(self) -> None:
        """Write down what outputs have taken since."""
        if self.paid:
            await self.commit(Commit())


def followed_of(
    questioner: Questioner, job: Job, state: State, reason: str, response: Response | None
) -> Followed:
    """What outputs are told of a job that came to this."""
    delivered = response if state == State.DELIVERED else None
    template = questioner.resolved.template
    return Followed(
        number=job.number,
        positions=job.positions,
        texts=job.texts,
        state=state.name.lower(),
        status=response.status if response is not None else job.status,
        attempts=job.attempts,
        again=job.lost,
        reason=reason,
        ticket=job.ticket,
        response=response,
        takes=template.takes if template is not None else {},
        parts=questioner.parts(delivered, job.texts) if delivered is not None else None,
    )
