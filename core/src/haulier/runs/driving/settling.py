"""Settling: from what a delivery came to, to the book. Splits what was refused whole, parts what was answered apart.

Nothing is rejected for good before something succeeded: until then rejections are provisional, their records stay
pending, and nobody is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from haulier.delivery.retry import Settle
from haulier.model.block import RejectedRecord
from haulier.model.delivery import DELIVERED, Outcomes, Stop, Verdict
from haulier.model.request import Request, Response
from haulier.runs.driving.delivered import Delivered
from haulier.runs.driving.delivery import Delivery
from haulier.runs.driving.under_way import UnderWay

__all__ = ["Settling"]

_SPLITS_PER_RUN = 2_000
_TAKEN = ("delivered", "accepted")
_AGAIN = Verdict("retry")  # of a record that goes on in a part


class _Refused(msgspec.Struct, frozen=True, gc=False):
    """A refusal that does not count yet. number: how many came before; part: stands for its records in the ledger,
    where others of the request have come to rest.
    """

    number: int
    delivery: Delivery
    wish: Settle
    part: Request | None = None


class Settling:
    """parts: makes requests of some records of another, and hands them on when they are there. again: brings a part on
    its way, with the attempts spent. later: told of a delivery whose parts were waited for, when they are on their way.
    unproven: see Place. settled: told of what came to rest.
    """

    def __init__(
        self,
        stage: UnderWay,
        *,
        unproven: bool,
        parts: Callable[[Request, Sequence[Sequence[int]], Callable[[list[Request] | None], None]], None],
        later: Callable[[Delivery], None],
        again: Callable[[Request, Delivery, int], None],
        settled: Callable[[Delivered], None] | None,
    ) -> None:
        self._stage = stage
        self._book = stage.book
        self._rules = stage.rules
        self._history = stage.history
        self._stop = stage.stop
        self._most = stage.course.max_in_flight
        self._unproven = unproven
        self._parts = parts
        self._later = later
        self._waiting: set[Delivery] = set()
        self._again = again
        self._settled = settled
        self._splits = 0
        self._provisional: list[_Refused] = []
        self._unmade: list[RejectedRecord] = []
        self.refusals = 0  # provisional ones that came so far

    @property
    def provisional(self) -> int:
        """Requests whose refusal does not count yet."""
        return len(self._provisional)

    def settle(self, delivery: Delivery, wish: Settle) -> None:
        """Bring a delivery to rest by its verdict, which is no `Stop`."""
        verdict = wish.verdict
        assert not isinstance(verdict, Stop)
        self._history.forbidden = self._history.forbidden + 1 if delivery.status == 403 else 0
        if isinstance(verdict, Outcomes):
            self._settle_apart(delivery, wish, verdict)
        elif verdict.kind in ("delivered", "accepted"):
            self._success(delivery)
            self.finish(delivery, verdict, wish.attempts, wish.response)
        elif verdict.kind != "rejected":
            self.finish(delivery, verdict, wish.attempts, wish.response)
            self._not_understood(delivery, verdict.reason, general=verdict.general)
        elif not (verdict.split and self._split(delivery, wish, verdict)):
            self._reject(delivery, wish, verdict.reason)

    @property
    def tells(self) -> bool:
        """Whether somebody is told of what comes to rest."""
        return self._settled is not None or self._book.told

    def delivered(self, deliveries: Sequence[Delivery]) -> None:
        """`settle` for what a 200 to its first attempt says all of, where it tells nobody."""
        self._history.forbidden = 0
        if self._provisional or self._unmade or self._rules.failed:
            for delivery in deliveries:
                self._success(delivery)
        else:
            self._history.succeeded += len(deliveries)
            self._rules.success(self._most, began=deliveries[0].began, count=len(deliveries))
        self._book.delivered([delivery.request for delivery in deliveries], 200, 1)

    def unsent(self, rejected: Sequence[RejectedRecord]) -> None:
        """Records that never became a request.

        A batch that could not be made counts as a request that was refused, and so does each record of a stage that
        is unproven.
        """
        counting = [record for record in rejected if self._unproven or record.batch]
        if not counting or self._rules.successes:
            self._book.rejected_unsent(rejected)
        else:
            self._book.rejected_unsent(
                [record for record in rejected if not (self._unproven or record.batch)]
            )
            self._book.hold_back(counting)
            self._unmade += counting
            for reason in {
                record.batch or -1 - record.position: record.reason for record in counting
            }.values():
                if why := self._rules.rejection(reason, made=not self._unproven):
                    self._stop(why)
        if counting:
            self._look_at_max_rejected()

    def finish(
        self,
        delivery: Delivery,
        verdict: Verdict,
        attempts: int,
        response: Response | None,
        *,
        counted: bool = False,
    ) -> None:
        """All records of a delivery come to rest with one verdict. counted: its attempts are in the book already."""
        if verdict is DELIVERED and not counted and not self.tells:
            status = response.status if response is not None else None
            self._book.delivered([delivery.request], status, attempts)
            return
        self._tell([self._book.settle(delivery.request, verdict, attempts, response, counted=counted)])

    def settle_provisional(self, until: int | None = None) -> None:
        """Refusals that were provisional until now count; of the first `until` only, where that is given."""
        unmade, self._unmade = self._unmade, []
        self._book.release()
        self._book.rejected_unsent(unmade)
        if unmade:
            self._look_at_max_rejected()
        provisional, self._provisional = self._provisional, []
        for refused in provisional:
            delivery, wish = refused.delivery, refused.wish
            if until is not None and refused.number >= until:
                self._provisional.append(refused)
            elif isinstance(wish.verdict, Outcomes):
                self._tell(
                    self._book.settle_apart(
                        delivery.request,
                        wish.verdict.verdicts,
                        wish.attempts,
                        wish.response,
                        counted=True,
                        part=refused.part,
                    )
                )
            else:
                assert isinstance(wish.verdict, Verdict)
                self.finish(delivery, wish.verdict, wish.attempts, wish.response, counted=True)

    def none_made(self) -> str:
        """At the end of the input: why the run stops as nothing came through its stage; an empty text where it ends."""
        if not self._unmade or not self._unproven or self._provisional or self._book.settled:
            return ""
        return self._rules.none_made(len(self._unmade), self._unmade[-1].reason)

    # -- one verdict a record ------------------------------------------------------------------------------------

    def _settle_apart(self, delivery: Delivery, wish: Settle, outcomes: Outcomes) -> None:
        verdicts = outcomes.verdicts
        if any(verdict.kind in _TAKEN for verdict in verdicts):
            self._success(delivery)
        elif all(verdict.kind == "rejected" for verdict in verdicts) and not self._rules.successes:
            self._reject(delivery, wish, verdicts[0].reason)
            return
        request, asked_again = delivery.request, _places(verdicts, "retry")
        # The others are in doubt, which nothing changes any more; so these stand in a request of their own meanwhile.
        refused = [] if self._rules.successes else _places(verdicts, "rejected")
        held = {request.positions[at] for at in refused}

        def apart(parts: list[Request] | None) -> None:
            if parts is None:
                left = [_not_again(one) for one in verdicts]
            else:
                told = zip(request.positions, verdicts, strict=True)
                left = [_AGAIN if position in held else one for position, one in told]
            self._tell(self._book.settle_apart(request, left, wish.attempts, wish.response))
            for part in parts or ():
                if part.positions[0] in held:
                    self._hold(part, delivery, wish, verdicts)
                else:
                    self._again(part, delivery, delivery.tries)
            self._none_taken(delivery, verdicts)

        # Also after the last attempt: they are fewer now, and what becomes of them is for the rules of a bad night.
        if asked_again or refused:
            self._with_parts(delivery, [places for places in (asked_again, refused) if places], apart)
        else:
            apart(None)

    def _hold(self, part: Request, delivery: Delivery, wish: Settle, verdicts: Sequence[Verdict]) -> None:
        """These records of a delivery were refused, which does not count yet: they are pending in the ledger."""
        own = set(part.positions)
        positions = delivery.request.positions
        kept = [one if at in own else _AGAIN for at, one in zip(positions, verdicts, strict=True)]
        self._book.expect(part)
        self._book.intend([part], self._stage.course.stored)
        reason = next(one.reason for one in kept if one is not _AGAIN)
        self._book.put_back(part, reason, 0, delivery.left_status)
        settle = Settle(Outcomes(kept), wish.attempts, wish.response)
        self._provisional.append(_Refused(self.refusals, delivery, settle, part))
        self.refusals += 1

    def _none_taken(self, delivery: Delivery, verdicts: Sequence[Verdict]) -> None:
        """Count a request of which some records are in doubt and none was taken."""
        if all(one.kind not in _TAKEN for one in verdicts):
            unknown = next((one for one in verdicts if one.kind == "unknown"), None)
            if unknown is not None:
                self._not_understood(delivery, unknown.reason)

    def _not_understood(self, delivery: Delivery, reason: str, *, general: bool = False) -> None:
        if why := self._rules.not_understood(reason, began=delivery.began, general=general):
            self._stop(why)

    # -- refused whole -------------------------------------------------------------------------------------------

    def _reject(self, delivery: Delivery, wish: Settle, reason: str) -> None:
        verdict = wish.verdict
        general = isinstance(verdict, Verdict) and verdict.general
        if self._rules.successes and not general:
            if isinstance(verdict, Verdict):
                self.finish(delivery, verdict, wish.attempts, wish.response)
            return
        self._provisional.append(_Refused(self.refusals, delivery, wish))
        self.refusals += 1
        self._stage.put_back(delivery, reason)
        if why := self._rules.rejection(reason, began=delivery.began, general=general):
            self._stop(why)

    def _split(self, delivery: Delivery, wish: Settle, verdict: Verdict) -> bool:
        """Halve a refused batch until the bad record stands alone; False where the budget is spent."""
        delivery.splits.left -= 2
        if delivery.splits.left < 0 or self._splits >= _SPLITS_PER_RUN:
            return False
        if not self._rules.successes and (why := self._rules.rejection(verdict.reason, began=delivery.began)):
            self._stage.put_back(delivery, verdict.reason)
            self._stop(why)
            return True
        count = len(delivery.request.positions)
        middle = count // 2

        def halved(halves: list[Request] | None) -> None:
            if halves is None:
                self._reject(delivery, wish, verdict.reason)
                return
            self._splits += 2
            self._book.split(delivery.request, verdict.reason, wish.attempts, delivery.status)
            for half in halves:
                self._again(half, delivery, 0)

        self._with_parts(delivery, [range(middle), range(middle, count)], halved)
        return True

    # -- parts that must be waited for ---------------------------------------------------------------------------

    def waits(self, delivery: Delivery) -> bool:
        """Whether what becomes of it follows when its parts are made."""
        return delivery in self._waiting

    def let_go(self) -> list[Delivery]:
        """The deliveries whose parts are not made yet; the run stops, and they never will be."""
        left, self._waiting = list(self._waiting), set()
        return left

    def _with_parts(
        self,
        delivery: Delivery,
        places: Sequence[Sequence[int]],
        then: Callable[[list[Request] | None], None],
    ) -> None:
        """Have parts made; `then` follows at once, or when they are there, unless the run has stopped meanwhile."""
        self._waiting.add(delivery)
        later = False

        def made(parts: list[Request] | None) -> None:
            if delivery not in self._waiting:
                return
            self._waiting.discard(delivery)
            then(parts)
            if later:
                self._later(delivery)

        self._parts(delivery.request, places, made)
        later = True

    # -- both ----------------------------------------------------------------------------------------------------

    def _success(self, delivery: Delivery) -> None:
        """What was refused before this request left counts; of what was refused since, this one says nothing."""
        self._history.succeeded += 1
        if self._provisional or self._unmade:
            self.settle_provisional(delivery.refusals)
        self._rules.success(self._most, began=delivery.began, provisional=len(self._provisional))

    def _tell(self, settled: Sequence[Delivered]) -> None:
        if self._settled is not None:
            for one in settled:
                self._settled(one)
        if self._book.rejected:
            self._look_at_max_rejected()

    def _look_at_max_rejected(self) -> None:
        if why := self._rules.too_many_rejected(self._book.rejected, self._book.settled):
            self._stop(why)


def _places(verdicts: Sequence[Verdict], kind: str) -> list[int]:
    """Where in the request the records with such a verdict stand."""
    return [at for at, one in enumerate(verdicts) if one.kind == kind]


def _not_again(verdict: Verdict) -> Verdict:
    if verdict.kind != "retry":
        return verdict
    return Verdict("rejected", f"retries exhausted: {verdict.reason}")
