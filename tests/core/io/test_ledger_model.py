"""Book and ledger against a dictionary: whatever the interleaving of answers, faults, commits and crashes, every
record that was read is in exactly one state at every instant, counts are true, and a resume finds all that is left.

The dictionary knows nothing of rows: it maps positions to states as of the last durable commit.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.core.io.test_ledger_store import new_run

from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import Commit, RunRow
from haulier.io.ledger.store import Ledger
from haulier.model.block import Block, RejectedRecord
from haulier.model.delivery import State, Verdict
from haulier.model.request import Positions, Request, Response, joined
from haulier.runs.driving.book import Book
from haulier.runs.inputs.positions import PositionSet

SIZE = 3  # records a batch
VERDICTS = {
    "delivered": State.DELIVERED,
    "accepted": State.ACCEPTED,
    "rejected": State.REJECTED,
    "unknown": State.IN_DOUBT,
}
# An answer that speaks of single records has no ticket for each.
APART = ("delivered", "rejected", "unknown", "retry")
FLAWED = "none"


def as_positions(found: list[int]) -> Positions:
    whole = range(found[0], found[-1] + 1)
    return whole if list(whole) == found else array("q", found)


class LedgerMachine(RuleBasedStateMachine):
    """One run over several sittings. Each sitting has a book; a crash throws away what was not committed."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store: Store = Ledger.create(Path(self.folder.name))
        self.run_id = self.store.start(new_run()).id
        self.durable: dict[int, State] = {}
        self.kinds: list[str] = []  # what each record is, as the input has it
        self.number = 0
        self.sit_down([])

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()

    def sit_down(self, missing: list[range]) -> None:
        self.book = Book(self.row(), missing=missing)
        self.read = self.row().read
        self.gaps: list[range] = []
        self.held: dict[str, list[int]] = {}
        self.effects: dict[int, State] = {}
        self.queue: list[tuple[Commit, dict[int, State]]] = []
        self.waiting: dict[int, Request] = {}  # intended, their commit not durable yet
        self.flying: dict[int, Request] = {}  # may be answered now
        self.spent: dict[int, Request] = {}  # put back, for a second round
        self.provisional: dict[int, Request] = {}  # refused, which does not count yet
        self.parted: list[
            tuple[Request, Request, list[Verdict]]
        ] = []  # the same, of requests of which others are at rest

    def row(self) -> RunRow:
        found = self.store.latest("key")
        assert found is not None
        return found

    # -- taking in -------------------------------------------------------------------------------------------------

    @rule(kinds=st.lists(st.sampled_from(["left", "right", FLAWED]), min_size=1, max_size=10), data=st.data())
    def take_a_block(self, kinds: list[str], data: st.DataObject) -> None:
        """The planner holds what waits for company; a window may close between any two requests of the block."""
        start = self.read
        stop = start + len(kinds)
        self.kinds += kinds[
            max(0, len(self.kinds) - start) :
        ]  # after a crash the input says what it said before
        self.read = stop
        self.plan(start, stop, data)

    def plan(self, start: int, stop: int, data: st.DataObject) -> None:
        requests: list[Request] = []
        rejected: list[RejectedRecord] = []
        for position in range(start, stop):
            kind = self.kinds[position]
            if kind == FLAWED:
                rejected.append(RejectedRecord(position=position, reason="flawed", line=b"{"))
                self.effects[position] = State.REJECTED
            else:
                self.held.setdefault(kind, []).append(position)
        for kind, positions in list(self.held.items()):
            if len(positions) >= SIZE:
                requests.append(self.request(positions[:SIZE]))
                self.held[kind] = positions[SIZE:]
        if data.draw(st.booleans(), label="order of addresses"):
            requests.reverse()
        held = min((positions[0] for positions in self.held.values() if positions), default=None)
        self.book.rejected_unsent(rejected)
        block = Block(first=start, lines=[b"{}"] * (stop - start), digest=partial(bytes, b"%d" % stop))
        self.book.took(block, held, requests)
        for request in requests:
            self.intend(request)
            if data.draw(st.booleans(), label="the window closes"):
                self.turn()

    def request(self, positions: list[int]) -> Request:
        body = b"%d" % self.number
        made = Request(
            number=self.number,
            positions=as_positions(positions),
            method="POST",
            url="http://127.0.0.1/",
            headers=(),
            body=body,
            length=len(body),
            sha256=sha256(body).digest(),
            key=f"key {self.number}",
            texts=joined([b'{"at":%d}' % position for position in positions]),
        )
        self.number += 1
        return made

    def intend(self, request: Request) -> None:
        self.book.expect(request)
        self.book.intend([request], lambda _: None)
        self.waiting[request.number] = request
        self.effects.update(dict.fromkeys(request.positions, State.SENDING))

    # -- committing ------------------------------------------------------------------------------------------------

    @rule()
    def turn(self) -> None:
        self.queue.append((self.book.turn(), self.effects))
        self.effects = {}

    @precondition(lambda self: self.queue)
    @rule(count=st.integers(1, 4))
    def write(self, count: int) -> None:
        """The writer makes some commits durable in one transaction: their requests may leave."""
        now, self.queue = self.queue[:count], self.queue[count:]
        self.store.commit(self.run_id, [commit for commit, _ in now])
        for commit, effects in now:
            self.durable.update(effects)
            for row in commit.intents:
                number = row[0] & ((1 << 40) - 1)
                if number in self.waiting:
                    self.flying[number] = self.waiting.pop(number)

    # -- answers and faults ----------------------------------------------------------------------------------------

    def fly(self, data: st.DataObject) -> Request:
        number = data.draw(st.sampled_from(sorted(self.flying)), label="request")
        return self.flying.pop(number)

    @precondition(lambda self: self.flying)
    @rule(kind=st.sampled_from(sorted(VERDICTS)), data=st.data())
    def answer(self, kind: Any, data: st.DataObject) -> None:
        request = self.fly(data)
        self.book.settle(request, Verdict(kind, kind), 1, Response(status=200))
        self.effects.update(dict.fromkeys(request.positions, VERDICTS[kind]))

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def answer_apart(self, data: st.DataObject) -> None:
        """An answer speaks of each record; those to be asked for again go on in a request of their own."""
        request = self.fly(data)
        kinds = [data.draw(st.sampled_from(APART)) for _ in request.positions]
        verdicts: list[Any] = [Verdict(kind, kind) for kind in kinds]  # type: ignore[arg-type]
        self.book.settle_apart(request, verdicts, 1, Response(status=207))
        again = [at for at, kind in zip(request.positions, kinds, strict=True) if kind == "retry"]
        for position, kind in zip(request.positions, kinds, strict=True):
            if kind != "retry":
                self.effects[position] = VERDICTS[kind]
        if again:
            self.intend(self.request(again))

    @precondition(lambda self: any(len(one.positions) > 1 for one in self.flying.values()))
    @rule(data=st.data())
    def halve(self, data: st.DataObject) -> None:
        request = self.fly(data)
        found = list(request.positions)
        if len(found) < 2:
            self.flying[request.number] = request
            return
        self.book.split(request, "too large", 1, 413)
        self.intend(self.request(found[: len(found) // 2]))
        self.intend(self.request(found[len(found) // 2 :]))

    @precondition(lambda self: self.flying)
    @rule(status=st.sampled_from([None, 429, 503]), data=st.data())
    def spend_all_attempts(self, status: int | None, data: st.DataObject) -> None:
        request = self.fly(data)
        self.book.put_back(request, "busy", 5, status)
        self.spent[request.number] = request
        self.effects.update(dict.fromkeys(request.positions, State.PENDING))

    @precondition(lambda self: self.spent)
    @rule()
    def second_round(self) -> None:
        """Also where putting back and the new intent are in one commit."""
        for number in list(self.spent):
            self.intend(self.spent.pop(number))

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def refuse_before_the_first_success(self, data: st.DataObject) -> None:
        """Provisional: pending, until something succeeds."""
        request = self.fly(data)
        self.book.put_back(request, "refused", 1, 400)
        self.provisional[request.number] = request
        self.effects.update(dict.fromkeys(request.positions, State.PENDING))

    @precondition(lambda self: any(len(one.positions) > 1 for one in self.flying.values()))
    @rule(data=st.data())
    def refuse_some_before_the_first_success(self, data: st.DataObject) -> None:
        """The others are in doubt for good; these are pending in a request of their own, which does not leave."""
        request = self.fly(data)
        found = list(request.positions)
        if len(found) < 2:
            self.flying[request.number] = request
            return
        again, refused = Verdict("retry"), found[::2]
        in_doubt = [again if at in refused else Verdict("unknown", "unknown") for at in found]
        self.book.settle_apart(request, in_doubt, 1, Response(status=207))
        part = self.request(refused)
        self.book.expect(part)
        self.book.intend([part], lambda request: None)
        self.book.put_back(part, "refused", 0, 207)
        kept = [Verdict("rejected", "refused") if at in refused else again for at in found]
        self.parted.append((request, part, kept))
        for position in found:
            self.effects[position] = State.PENDING if position in refused else State.IN_DOUBT

    @precondition(lambda self: self.provisional or self.parted)
    @rule()
    def refusals_count(self) -> None:
        """Also in the commit that put the records back."""
        for request in self.provisional.values():
            self.book.settle(request, Verdict("rejected", "refused"), 0, Response(status=400))
            self.effects.update(dict.fromkeys(request.positions, State.REJECTED))
        self.provisional.clear()
        for whole, part, kept in self.parted:
            self.book.settle_apart(whole, kept, 1, Response(status=207), counted=True, part=part)
            self.effects.update(dict.fromkeys(part.positions, State.REJECTED))
        self.parted.clear()

    # -- crashing and resuming -------------------------------------------------------------------------------------

    @rule(data=st.data(), clean=st.booleans())
    def crash_and_resume(self, data: st.DataObject, clean: bool) -> None:
        """What was not committed is gone; everything else is found, each record once."""
        if clean:
            self.store.close()
            self.store = Ledger.create(Path(self.folder.name))
        row = self.row()
        unsettled = self.store.unsettled(row)
        known = PositionSet([range(row.low_water), *self.store.known_above(row)])
        missing = known.missing(row.low_water, row.read)
        left = {position for one in unsettled for position in one.positions}
        gaps = {position for gap in missing for position in gap}
        assert not left & gaps
        assert left | gaps == {at for at in range(row.read) if not self.state(at).settled}
        self.number = self.store.next_number(row)
        self.sit_down(missing)
        for one in unsettled:
            if data.draw(st.booleans(), label="made again"):
                records = [b'{"at":%d}' % position for position in one.positions]
                request = Request(
                    number=one.number,
                    positions=one.positions,
                    method="POST",
                    url="http://127.0.0.1/",
                    headers=(),
                    body=b"",
                    length=0,
                    sha256=one.sha256,
                    key=one.key,
                    texts=joined(records),
                )
                self.intend(request)
            else:
                self.book.park(one, "cannot be made again")
                self.effects.update(dict.fromkeys(one.positions, State.IN_DOUBT))
            if data.draw(st.booleans(), label="the window closes"):
                self.turn()
        self.gaps = missing

    @precondition(lambda self: self.gaps)
    @rule(data=st.data())
    def take_a_gap(self, data: st.DataObject) -> None:
        """Read, and in no request: in a resume these come in order, from a program in any order and after new ones."""
        gap = self.gaps.pop(data.draw(st.integers(0, len(self.gaps) - 1), label="gap"))
        self.plan(gap.start, gap.stop, data)

    # -- what must hold --------------------------------------------------------------------------------------------

    def state(self, position: int) -> State:
        return self.durable.get(position, State.PENDING)

    @invariant()
    def every_record_is_in_exactly_the_state_it_should_be(self) -> None:
        if not hasattr(self, "store"):
            return
        row = self.row()
        expected = {position: self.state(position) for position in range(row.read)}
        assert max(self.durable, default=-1) < row.read
        assert self.states_in_ledger(row) == expected
        counted = {
            State.DELIVERED: row.delivered,
            State.ACCEPTED: row.accepted,
            State.REJECTED: row.rejected,
            State.IN_DOUBT: row.in_doubt,
            State.SENDING: self.store.sending(row),
        }
        counted[State.PENDING] = row.read - sum(counted.values())
        states = list(expected.values())
        assert counted == {state: states.count(state) for state in counted}
        assert all(self.state(position).settled for position in range(row.low_water))

    def states_in_ledger(self, row: RunRow) -> dict[int, State]:
        """Told from rows alone: a record's own row counts most, then an unsettled request, then a settled one."""
        found = dict.fromkeys(range(row.read), State.PENDING)
        db = self.store._db  # type: ignore[attr-defined]
        requests = db.execute("select first, count, positions, state from request order by id").fetchall()
        requests.sort(key=lambda one: State(one[3]).settled, reverse=True)
        for first, count, packed, state in requests:
            positions = range(first, first + count)
            if packed is not None:
                positions = array("q", packed)  # type: ignore[assignment]
            found.update(dict.fromkeys(positions, State(state)))
        sending = {at for at, state in found.items() if not state.settled}
        for record in self.store.records(row):
            assert record["position"] not in sending or found[record["position"]] == State.PENDING
            found[record["position"]] = State(record["state"])
        return found


TestLedgerModel = LedgerMachine.TestCase
TestLedgerModel.settings = settings(
    max_examples=int(os.environ.get("HAULIER_EXAMPLES", "40")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
