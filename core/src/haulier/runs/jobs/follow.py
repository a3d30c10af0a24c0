"""Following jobs: what a service accepted is asked for until its result is there, and its records settle with that.

A question is durable in the ledger before it leaves, and an answer before anything else happens with it. A service
may give a result once; so where an answer was lost, by a crash or on the way, its records are in doubt and nobody asks
again.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from haulier.delivery.follow import Ask, End, Pause, Questions, follow
from haulier.errors import TransportError
from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import Commit, Job, RunRow
from haulier.io.shared_limit import SharedLimit
from haulier.io.transports.choose import open_transport
from haulier.io.transports.protocol import Transport
from haulier.model.delivery import State
from haulier.model.parts import Added
from haulier.model.request import Request, Response
from haulier.runs.jobs.questions import Questioner
from haulier.runs.outputs.joining import Followed, Lines

__all__ = ["Clock", "Follower"]

_STATES = {"delivered": State.DELIVERED, "rejected": State.REJECTED, "in_doubt": State.IN_DOUBT}
_MORE = "to ask once more: haulier follow {run} --lost"
_DIED = "the process ended while the job was asked for: the answer that may have held its result was lost"


class Clock:
    """The clock of the running loop; tests bring one that stands still until it is told."""

    def now(self) -> float:
        """Seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Come back after so long."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class _Waiting:
    """A job that is asked for next at `due`."""

    due: float
    job: Job
    request: Request
    flow: Questions

    def __lt__(self, other: _Waiting) -> bool:
        return (self.due, self.job.number) < (other.due, other.job.number)


class Follower:
    """Asks for the jobs of one run, one question at a time, in a loop of its own; `stop` ends it resumably.

    lines: what outputs are told; owe: handed each commit that is durable. share, interval_s: the limit that all who use
    the credential keep. redact: takes secrets out of what is kept. lost: ask for jobs, too, whose answer was
    lost; a person wishes so. tokens: has a transport acquire tokens where the credential does.
    """

    def __init__(
        self,
        ledger: Store,
        run: RunRow,
        questioner: Questioner,
        *,
        authorize: Callable[[Request], Added],
        share: SharedLimit,
        interval_s: float,
        lines: Lines | None,
        owe: Callable[[Commit], None],
        paid: Callable[[], list[int]],
        redact: Callable[[str], str],
        timeout_s: float | None = None,
        lost: bool = False,
        clock: Clock | None = None,
        tokens: Callable[[Transport], Transport] = lambda transport: transport,
    ) -> None:
        self._tokens = tokens
        self._ledger, self._run, self._questioner = ledger, run, questioner
        self._authorize, self._share, self._interval_s = authorize, share, interval_s
        self._lines, self._owe, self._paid, self._redact = lines, owe, paid, redact
        self._timeout_s = timeout_s
        self._lost = lost
        self._clock = clock or Clock()
        self._seq = max((newest for _, newest in ledger.owing(run).values()), default=-1) + 1
        self._next_start = 0.0
        self._stopped = asyncio.Event()
        self.stop_reason = ""

    def stop(self, reason: str) -> None:
        """End after the question that is under way."""
        self.stop_reason = self.stop_reason or reason
        self._stopped.set()

    async def run(self) -> None:
        """Follow every job to its end, to its time-out, or to a stop; all that is known is durable then."""
        waiting = [one async for one in self._begun()]
        heapq.heapify(waiting)
        resolved = self._questioner.resolved
        transport = self._tokens(
            open_transport(
                resolved.destination.transport,
                in_flight=1,
                timeout_s=resolved.destination.timeout_s,
                origin=resolved.address.origin,
            )
        )
        try:
            while waiting and await self._wait_until(waiting[0].due):
                await self._go_on(waiting, transport.send)
        finally:
            await transport.close()
        for one in waiting:
            await self._left(one.job, "")
        await self.settle_debts()

    async def _begun(self) -> AsyncIterator[_Waiting]:
        """The jobs that are to be asked for; those of which the answer was lost by a crash come to rest."""
        for job in self._ledger.jobs(self._run, lost=self._lost):
            if job.asking and not job.lost and self._questioner.following.once:
                await self._end(job, End("in_doubt", _DIED))
                continue
            request = self._questioner.request(job.ticket)
            flow = self._flow(request)
            flow.send(None)
            yield _Waiting(self._clock.now(), job, request, flow)

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

    async def settle_debts(self) -> None:
        """Write down what outputs have taken since."""
        if seqs := self._paid():
            await self._commit(Commit(paid=seqs))

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
        await self._commit(Commit(asking=[self._id(job)], paid=self._paid()))
        answer: Response | TransportError
        try:
            answer = await send(request, self._authorize(request))
        except TransportError as error:
            answer = error
        wish = flow.send((self._clock.now(), answer))
        assert not isinstance(wish, Ask)
        if isinstance(wish, Pause):
            status = answer.status if isinstance(answer, Response) else None
            await self._commit(Commit(answers=[(status, None, self._id(job))]))
        return wish

    async def _wait_until(self, due: float) -> bool:
        """Wait for the pause and for a turn in the limit; False where it was stopped meanwhile."""
        while (wait := max(due, self._next_start) - self._clock.now()) > 0 or (
            wait := self._share.turn(self._interval_s) if self._interval_s else 0.0
        ) > 0:
            sleeping = asyncio.ensure_future(self._clock.sleep(wait))
            stopping = asyncio.ensure_future(self._stopped.wait())
            await asyncio.wait((sleeping, stopping), return_when=asyncio.FIRST_COMPLETED)
            for task in (sleeping, stopping):
                task.cancel()
            if self._stopped.is_set():
                return False
        if self._stopped.is_set():
            return False
        self._next_start = self._clock.now() + self._interval_s
        return True

    # -- what came of it -----------------------------------------------------------------------------------------

    async def _ended(self, job: Job, end: End) -> None:
        if end.kind == "stop":
            self.stop(end.reason)
            await self._left(job, "")
        elif end.kind == "left":
            await self._left(job, end.reason)
        else:
            await self._end(job, end)

    async def _end(self, job: Job, end: End) -> None:
        """Settle the records of a job: its result, their states and what outputs are owed, in one transaction."""
        state, count = _STATES[end.kind], len(job.positions)
        reason = self._redact(end.reason)
        if end.response is None and end.kind == "in_doubt":
            reason = f"{reason}; {_MORE.format(run=self._run.run_id[:12])}"
        status = end.response.status if end.response is not None else None
        body = self._redact(end.response.body.decode("utf-8", "replace")) if end.response is not None else ""
        commit = Commit(
            outcomes=[(state, status or job.status, 0, reason or None, job.ticket, self._id(job))],
            answers=[(status, body.encode() or None, self._id(job))],
            paid=self._paid(),
        )
        if job.lost:
            commit.in_doubt -= count
        else:
            commit.accepted -= count
        if state == State.DELIVERED:
            commit.delivered += count
            commit.found = list(job.positions) if job.lost else []
        else:
            texts: Sequence[bytes | None] = job.texts or [None] * count
            commit.records = [
                (position, state, job.number, reason, text)
                for position, text in zip(job.positions, texts, strict=True)
            ]
            if state == State.REJECTED:
                commit.rejected += count
            else:
                commit.in_doubt += count
        self._tell(commit, job, state, reason, end.response)
        await self._commit(commit)

    async def _left(self, job: Job, reason: str) -> None:
        """A job that is to be asked for again later: outputs hear that it was accepted, if they have not."""
        commit = Commit(told=[self._id(job)], answers=[(None, None, self._id(job))])
        if not job.told and not job.lost:
            self._tell(commit, job, State.ACCEPTED, reason, None)
        await self._commit(commit)

    def _tell(self, commit: Commit, job: Job, state: State, reason: str, response: Response | None) -> None:
        if self._lines is None:
            return
        delivered = response if state == State.DELIVERED else None
        template = self._questioner.resolved.template
        end = Followed(
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
            parts=self._questioner.parts(delivered, job.texts) if delivered is not None else None,
        )
        for outputs, line in self._lines.followed(end):
            clean = self._redact(line.decode()).encode()
            for output in outputs:
                commit.owed.append((self._seq, output, clean))
                self._seq += 1

    async def _commit(self, commit: Commit) -> None:
        await asyncio.to_thread(self._ledger.commit, self._run.id, [commit])
        self._owe(commit)

    def _id(self, job: Job) -> int:
        return self._run.id << 40 | job.number
