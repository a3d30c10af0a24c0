"""Following jobs: what a service accepted is asked for until its result is there, and its records settle with that.

A question is durable in the ledger before it leaves, and an answer before anything else happens with it. A service
may give a result once; so where an answer was lost, by a crash or on the way, its records are in doubt and nobody asks
again.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from haulier.delivery.follow import Ask, End, Pause, Questions, follow
from haulier.errors import TransportError
from haulier.io.ledger.ids import row_id
from haulier.io.ledger.rows import Commit, Job, RunRow, record_rows
from haulier.model.delivery import State
from haulier.model.parts import Added
from haulier.model.request import Request, Response
from haulier.model.wording import clause
from haulier.runs.credentials.acquiring import with_tokens
from haulier.runs.credentials.authority import Authority
from haulier.runs.jobs.questions import Questioner
from haulier.runs.outputs.opened import transport_of

__all__ = ["Clock", "Follower", "Keeping", "Turns"]

_STATES = {"delivered": State.DELIVERED, "rejected": State.REJECTED, "in_doubt": State.IN_DOUBT}
_DIED = "the process ended while the job was asked for: the answer that may have held its result was lost"


class Clock:
    """The clock of the running loop; tests bring one that stands still until it is told."""

    def now(self) -> float:
        """Seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Come back after so long."""
        await asyncio.sleep(seconds)


class _Waiting(msgspec.Struct, frozen=True):
    """A job that is asked for next at `due`."""

    due: float
    job: Job
    request: Request
    flow: Questions

    def __lt__(self, other: _Waiting) -> bool:
        return (self.due, self.job.number) < (other.due, other.job.number)


class Keeping(Protocol):
    """Where a follower has its jobs from, and what it writes down goes to."""

    async def jobs(self) -> list[Job]:
        """Those that are to be asked for; asked again where more may have come up."""
        ...

    def tell(self, commit: Commit, job: Job, state: State, reason: str, response: Response | None) -> None:
        """Put into a commit what outputs, and later stages, get of a job that came to this."""
        ...

    async def commit(self, commit: Commit) -> None:
        """Return when it is durable; what outputs have taken since goes with it."""
        ...


class Turns(Protocol):
    """The limits that questions keep, together with all who use the credential."""

    def take(self, now: float) -> float:
        """0 where a question may leave now, which is taken as said; else the seconds after which to ask again."""
        ...

    def answered(self, began: float, now: float, response: Response | None) -> None:
        """The question that had its turn has its answer, or none."""
        ...


class Follower:
    """Asks for the jobs of one run, one question at a time, in a loop of its own; `stop` ends it resumably.

    turns: when a question may leave. authority: what questions are asked with. redact: takes secrets out of what is
    kept. way_out: told of a job whose answer was lost. grows: more jobs may come up, of which `look` tells, until
    `close`. left: of how many records the jobs were not at their end.
    """

    def __init__(
        self,
        run: RunRow,
        questioner: Questioner,
        keeping: Keeping,
        turns: Turns,
        authority: Authority,
        *,
        redact: Callable[[str], str],
        way_out: str,
        timeout_s: float | None = None,
        clock: Clock | None = None,
        grows: bool = False,
    ) -> None:
        self._run, self._questioner, self._keeping, self._turns = run, questioner, keeping, turns
        self._authority, self._authorize, self._redact = authority, authority.authorize(), redact
        self._way_out, self._timeout_s = way_out, timeout_s
        self._clock = clock or Clock()
        self._known: set[int] = set()
        self._fresh, self._grows = True, grows
        self._woken = asyncio.Event()
        self.left = 0
        self.stop_reason = ""

    def stop(self, reason: str) -> None:
        """End after the question that is under way."""
        self.stop_reason = self.stop_reason or reason
        self._woken.set()

    def look(self) -> None:
        """More jobs may have come up."""
        self._fresh = True
        self._woken.set()

    def close(self) -> None:
        """No more will come up than have."""
        self._grows = False
        self.look()

    async def run(self) -> None:
        """Follow every job to its end, to its time-out, or to a stop; all that is known is durable then."""
        waiting: list[_Waiting] = []
        resolved = self._questioner.resolved
        transport = with_tokens(
            transport_of(resolved, in_flight=1), self._authority, timeout_s=resolved.destination.timeout_s
        )
        try:
            while not self.stop_reason:
                await self._take_in(waiting)
                if not waiting and not self._grows and not self._fresh:
                    break
                if not waiting:
                    await self._sleep(None)
                elif (wait := self._wait(waiting[0].due)) > 0:
                    await self._sleep(wait)
                else:
                    await self._go_on(waiting, transport.send)
        finally:
            await transport.close()
        for one in waiting:
            await self._leave(one.job, "")

    async def _take_in(self, waiting: list[_Waiting]) -> None:
        """The jobs that are to be asked for; those of which the answer was lost by a crash come to rest."""
        if not self._fresh:
            return
        self._fresh = False
        for job in await self._keeping.jobs():
            if job.number in self._known:
                continue
            self._known.add(job.number)
            if job.asking and not job.lost and self._questioner.following.once:
                await self._end(job, End("in_doubt", _DIED))
                continue
            request = self._questioner.request(job.ticket)
            flow = self._flow(request)
            flow.send(None)
            heapq.heappush(waiting, _Waiting(self._clock.now(), job, request, flow))

    async def _go_on(
        self, waiting: list[_Waiting], send: Callable[[Request, Added], Awaitable[Response]]
    ) -> None:
        """Ask for the job whose turn it is; it waits again, or is at its end."""
        one = waiting[0]
        wish = await self._asked(one.job, one.request, one.flow, send)
        heapq.heappop(waiting)
        if isinstance(wish, Pause):
            one.flow.send((self._clock.now(), None))
            heapq.heappush(
                waiting, _Waiting(self._clock.now() + wish.seconds, one.job, one.request, one.flow)
            )
        else:
            await self._ended(one.job, wish)

    # -- one question --------------------------------------------------------------------------------------------

    def _flow(self, request: Request) -> Questions:
        return follow(
            request,
            self._questioner.resolved.judging(),
            self._questioner.patience(self._timeout_s),
            since=self._clock.now(),
        )

    async def _asked(
        self,
        job: Job,
        request: Request,
        flow: Questions,
        send: Callable[[Request, Added], Awaitable[Response]],
    ) -> Pause | End:
        """Ask once: the question is durable before it leaves."""
        answer: Response | TransportError | None = None
        began = self._clock.now()
        try:
            await self._keeping.commit(Commit(asking=[self._id(job)]))
            began = self._clock.now()
            answer = await send(request, self._authorize(request))
        except TransportError as error:
            answer = error
        finally:
            now = self._clock.now()
            self._turns.answered(began, now, answer if isinstance(answer, Response) else None)
        wish = flow.send((now, answer))
        assert not isinstance(wish, Ask)
        if isinstance(wish, Pause):
            status = answer.status if isinstance(answer, Response) else None
            await self._keeping.commit(Commit(answers=[(status, None, self._id(job))]))
        return wish

    def _wait(self, due: float) -> float:
        """The seconds until a question that is due then may leave, perhaps; 0 where it has its turn now."""
        now = self._clock.now()
        return due - now if due > now else self._turns.take(now)

    async def _sleep(self, seconds: float | None) -> None:
        """Come back after so long (None: however long), or when something else has come up."""
        waking: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._woken.wait())]
        if seconds is not None:
            waking.append(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waking, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waking:
                task.cancel()
        self._woken.clear()

    # -- what came of it -----------------------------------------------------------------------------------------

    async def _ended(self, job: Job, end: End) -> None:
        if end.kind == "stop":
            self.stop(end.reason)
            await self._leave(job, "")
        elif end.kind == "left":
            await self._leave(job, end.reason)
        else:
            await self._end(job, end)

    async def _end(self, job: Job, end: End) -> None:
        """Settle the records of a job: its result, their states and what outputs are owed, in one transaction."""
        state, count = _STATES[end.kind], len(job.positions)
        reason = self._redact(end.reason)
        if end.kind == "in_doubt" and (end.response is None or end.response.status < 300):
            reason = f"{clause(reason)}; {self._way_out}"
        status = end.response.status if end.response is not None else None
        body = self._redact(end.response.body.decode("utf-8", "replace")) if end.response is not None else ""
        commit = Commit(
            outcomes=[(state, status or job.status, 0, reason or None, job.ticket, self._id(job))],
            answers=[(status, body.encode() or None, self._id(job))],
        )
        commit.count(State.IN_DOUBT if job.lost else State.ACCEPTED, -count)
        commit.count(state, count)
        if state != State.DELIVERED:
            commit.records = record_rows(job.positions, state, job.number, reason, job.texts)
        elif job.lost:
            commit.found = list(job.positions)
        self._keeping.tell(commit, job, state, reason, end.response)
        await self._keeping.commit(commit)

    async def _leave(self, job: Job, reason: str) -> None:
        """A job that is to be asked for again later: outputs hear that it was accepted, if they have not."""
        self.left += len(job.positions)
        commit = Commit(told=[self._id(job)], answers=[(None, None, self._id(job))])
        if not job.told and not job.lost:
            self._keeping.tell(commit, job, State.ACCEPTED, reason, None)
        await self._keeping.commit(commit)

    def _id(self, job: Job) -> int:
        return row_id(self._run.id, job.number)
