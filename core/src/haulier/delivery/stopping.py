"""When a run gives up for now: a bad night stops the run, resumably, and dead-letters nobody.

One object counts what the deliveries of a run came to and says what follows. Nothing is rejected for good before
something succeeded: until then a rejection is provisional, and if the first requests all end so, the setting is wrong
and not the records.
"""

from __future__ import annotations

import msgspec

from haulier.model.wording import clause

__all__ = ["SETTING_AT_FAULT", "STOPS_ANEW", "StopRules", "stop_rules"]

SETTING_AT_FAULT = "it is a setting rather than the records"
STOPS_ANEW = "raise it or take it away, as it stops the same command anew each time"

_LEAST_FOR_SHARES = 100


class StopRules(msgspec.Struct, gc=False, kw_only=True):
    """stop_after: exhausted deliveries in a row; first_rejections: provisional ones; both stop the run.

    `began` is when the last attempt of a delivery left, by a clock that never goes back. An answer to what left before
    an attempt that failed says nothing of that failure: where a night begins, the last good answers come among the
    first bad ones. fruitless: requests since the last success whose refusal is provisional, or whose answer was not
    understood. delivered_before: something was, in an earlier sitting. at_once: somebody said how many may be in
    flight, and no attempt has failed so far: then the first success lets as many leave, else each twice as many.
    """

    stop_after: int = 5
    first_rejections: int = 20
    successes: int = 0
    exhausted_in_a_row: int = 0
    fruitless: int = 0
    in_flight_limit: int = 1
    at_once: bool = False
    failed: list[float] = []  # when they left: the attempts that failed, with no answer to anything later
    max_rejected: int | None = None
    max_rejected_percent: int | None = None
    delivered_before: bool = False

    @property
    def probing(self) -> bool:
        """Whether the service seems to be down: then one delivery at a time finds out, and the others wait for it."""
        return len(self.failed) >= self.stop_after

    def failure(self, began: float, in_flight: int) -> None:
        """An attempt failed in a way that is tried again: nothing takes its place. in_flight: with this one."""
        self.failed.append(began)
        self.at_once = False
        self.in_flight_limit = max(1, min(self.in_flight_limit, in_flight) - 1)

    def success(self, most: int, *, began: float, provisional: int = 0, count: int = 1) -> None:
        """A delivery succeeded: what was provisional counts, and more may be in flight, up to `most`.

        provisional: how many refusals still are, as they came after its request left. count: so many succeeded, none of
        which left before `began`.
        """
        self.successes += count
        self._answered(began)
        self.fruitless = provisional
        if self.at_once:
            self.in_flight_limit = most
        elif not self.failed:
            self.in_flight_limit = min(most, self.in_flight_limit << min(count, most.bit_length()))

    def rejection(
        self, reason: str, *, began: float | None = None, general: bool = False, made: bool = True
    ) -> str:
        """A delivery was refused: why the run stops now, or an empty text. began: None where nothing left.

        general: it may speak of the address or the credential, so it is provisional also after a success. made: there
        was a request; else the record could not be made into one.
        """
        if began is not None:
            self._answered(began)
        if self.successes and not general:
            return ""
        if not self._all_fruitless():
            return ""
        if self.successes:
            return (
                f"{self.fruitless} requests were refused and none succeeded meanwhile, in a way that speaks of the "
                f"address rather than of the records (the last: {clause(reason)}); where it does speak of a record, "
                "say so with `verdicts`, such as `verdicts: {404: rejected}`"
            )
        what = f"the first {self.fruitless} requests were all refused"
        if not made:
            what = f"none of the first {self.fruitless} records could be sent"
        return f"{what}, so {SETTING_AT_FAULT} (the last: {clause(reason)})"

    def not_understood(self, reason: str, *, began: float, general: bool = False) -> str:
        """An answer left records in doubt and none was taken: why the run stops now, or an empty text.

        It counts as a refusal does. general: it speaks of the service, as a web page does: it counts after a success,
        too.
        """
        self._answered(began)
        if (self.successes and not general) or not self._all_fruitless():
            return ""
        return (
            f"{self.fruitless} requests were refused or answered in a way that was not understood, and none succeeded "
            f"meanwhile (the last: {clause(reason)}), so it is the service, or a setting that says how its answers are "
            "read, rather than the records: look at `outcomes`, `success_when` and `verdicts`"
        )

    def parked(self, reason: str, *, began: float) -> str:
        """A delivery got no answer, or none that says what became of it, and is not repeated: why the run stops now."""
        self._spent(began)
        if self.exhausted_in_a_row < self.stop_after:
            return ""
        return (
            f"{self.exhausted_in_a_row} requests in a row may have arrived and nobody knows ({clause(reason)}); under "
            "`unanswered: park` they are in doubt. Run again when the service is well"
        )

    def conflicting(self, reason: str) -> str:
        """A repeated request met 409 to the end and is in doubt: why the run stops now, or an empty text.

        By itself it is no bad night: a service says it of what it has taken. Beside attempts that fail it may be one.
        """
        if not self.failed or not self._all_fruitless():
            return ""
        return (
            f"{self.fruitless} requests did not succeed, and attempts fail meanwhile (the last: {clause(reason)}); "
            "what met 409 when it was repeated is in doubt. Run again when the service is well"
        )

    def none_made(self, count: int, reason: str) -> str:
        """No record of a stage could be made into a request, and no more come: why the run stops, or an empty text.

        Where `max_rejected` is written, somebody has said how many may be rejected.
        """
        if self.max_rejected is not None or self.max_rejected_percent is not None:
            return ""
        what = "its only record could not" if count == 1 else f"none of its {count:,} records could"
        return (
            f"{what} be sent, so {SETTING_AT_FAULT} (the last: {clause(reason)}); where it is the records, write "
            "`max_rejected: 100%` and run again"
        )

    def too_many_rejected(self, rejected: int, settled: int) -> str:
        """Why the run stops because of `max_rejected`, or an empty text. Shares count from 100 settled records on."""
        if self.max_rejected is not None and rejected > self.max_rejected:
            return f"{rejected:,} records were rejected, more than `max_rejected: {self.max_rejected}`; {STOPS_ANEW}"
        share = self.max_rejected_percent
        if share is not None and settled >= _LEAST_FOR_SHARES and rejected * 100 > share * settled:
            more = f"{rejected:,} of {settled:,} records were rejected, more than `max_rejected: {share}%`"
            return f"{more}; {STOPS_ANEW}"
        return ""

    def exhausted(
        self,
        reason: str,
        *,
        began: float,
        again: bool,
        since: int,
        status: int | None = None,
        spoken: bool = False,
    ) -> str:
        """A delivery spent its attempts: why the run stops now, or an empty text.

        again: it was its second round; since: successes counted when its first attempt began; status: of the last
        answer, None where none came, 0 where nothing was sent; spoken: the answer spoke of each record.
        """
        self._spent(began)
        if self.exhausted_in_a_row >= self.stop_after:
            what = f"{self.exhausted_in_a_row} deliveries in a row spent all their attempts"
        elif again and self.successes == since:
            what = "a delivery spent all its attempts twice and nothing succeeded in between"
        else:
            return ""
        # Where nothing was ever delivered it is the service, and nobody should be told to give the records up.
        delivered = self.successes or self.delivered_before
        way_out = _way_out(status, spoken=spoken) if delivered else ""
        return f"{what} ({clause(reason)}). Run again when the service is well{way_out}"

    def _all_fruitless(self) -> bool:
        self.fruitless += 1
        return self.fruitless >= self.first_rejections

    def _spent(self, began: float) -> None:
        self.exhausted_in_a_row += 1
        self.failed.append(began)
        self.at_once = False
        self.in_flight_limit = 1

    def _answered(self, began: float) -> None:
        if self.failed:
            self.failed = [failed for failed in self.failed if failed > began]
        if not self.failed:
            self.exhausted_in_a_row = 0


def _way_out(status: int | None, *, spoken: bool) -> str:
    """What ends a run whose last records fail for ever; an empty text where they were not sent at all."""
    if spoken:
        end = "`retry: []` under `outcomes:`"
    elif status is None:
        end = "`unanswered: park`"
    elif status:
        end = f"`verdicts: {{{status}: rejected}}`"
    else:
        return ""
    return f"; where the records are at fault and not the service, write {end} and run again"


def stop_rules(
    max_rejected: str | None, stop_after: int, first_rejections: int, *, delivered_before: bool, told: bool
) -> StopRules:
    """The rules of a run. max_rejected: as written, a number of records or a share such as `5%`. told: see Course."""
    rules = StopRules(
        stop_after=stop_after,
        first_rejections=first_rejections,
        delivered_before=delivered_before,
        at_once=told,
    )
    if max_rejected is not None and max_rejected.endswith("%"):
        rules.max_rejected_percent = int(max_rejected[:-1])
    elif max_rejected is not None:
        rules.max_rejected = int(max_rejected)
    return rules
