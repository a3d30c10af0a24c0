"""A bad night stops the run and rejects nobody; one bad record among good ones stops nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haulier.delivery.stopping import StopRules


def test_the_first_twenty_refused_stop_the_run_and_name_the_setting() -> None:
    rules = StopRules()
    assert [rules.rejection("400: bad") for _ in range(19)] == [""] * 19
    assert rules.rejection("400: bad.") == (
        "the first 20 requests were all refused, so it is a setting rather than the records (the last: 400: bad)"
    )


def test_after_one_success_any_number_may_be_refused() -> None:
    rules = StopRules()
    for _ in range(19):
        rules.rejection("400")
    rules.success(16, began=0)
    assert [rules.rejection("400") for _ in range(1000)] == [""] * 1000


def test_refusals_that_speak_of_the_address_are_provisional_until_the_next_success() -> None:
    rules = StopRules()
    rules.success(16, began=0)
    assert [rules.rejection("404", general=True) for _ in range(19)] == [""] * 19
    rules.success(16, began=0)
    assert [rules.rejection("404", general=True) for _ in range(19)] == [""] * 19
    assert rules.rejection("400") == ""
    assert rules.rejection("404", general=True) == (
        "20 requests were refused and none succeeded meanwhile, in a way that speaks of the address rather than of the "
        "records (the last: 404); where it does speak of a record, say so with `verdicts`, such as "
        "`verdicts: {404: rejected}`"
    )


@given(most=st.integers(1, 300), counts=st.lists(st.integers(1, 70), max_size=8), at_once=st.booleans())
def test_successes_told_together_are_as_many_told_one_by_one(
    most: int, counts: list[int], at_once: bool
) -> None:
    together, one_by_one = StopRules(at_once=at_once), StopRules(at_once=at_once)
    for began, count in enumerate(counts):
        for _ in range(count):
            one_by_one.success(most, began=began)
        together.success(most, began=began, count=count)
        assert together == one_by_one


def test_answers_that_are_not_understood_count_as_refusals_do() -> None:
    rules = StopRules()
    assert [rules.rejection("400") for _ in range(10)] == [""] * 10
    assert [rules.not_understood("no list", began=0) for _ in range(9)] == [""] * 9
    assert rules.not_understood("no list", began=0) == (
        "20 requests were refused or answered in a way that was not understood, and none succeeded meanwhile (the "
        "last: no list), so it is the service, or a setting that says how its answers are read, rather than the "
        "records: look at `outcomes`, `success_when` and `verdicts`"
    )


def test_after_a_success_only_what_speaks_of_the_service_counts() -> None:
    rules = StopRules()
    rules.success(16, began=0)
    assert [rules.not_understood("no list", began=0) for _ in range(100)] == [""] * 100
    assert [rules.not_understood("a web page", began=0, general=True) for _ in range(19)] == [""] * 19
    rules.success(16, began=0)
    assert [rules.not_understood("a web page", began=0, general=True) for _ in range(19)] == [""] * 19
    assert rules.not_understood("a web page", began=0, general=True) != ""


def test_five_parked_in_a_row_stop_the_run_and_a_success_between_them_does_not() -> None:
    rules = StopRules()
    assert [rules.parked("500", began=0) for _ in range(4)] == [""] * 4
    rules.success(16, began=1)
    assert [rules.parked("500", began=2) for _ in range(4)] == [""] * 4
    assert rules.in_flight_limit == 1
    assert rules.parked("500", began=2) == (
        "5 requests in a row may have arrived and nobody knows (500); under `unanswered: park` they are in doubt. "
        "Run again when the service is well"
    )


def test_five_exhausted_in_a_row_stop_the_run_whatever_succeeded_before() -> None:
    rules = StopRules()
    rules.success(16, began=0)
    said = [rules.exhausted("503", began=0, again=False, since=0) for _ in range(5)]
    assert said == [""] * 4 + [
        "5 deliveries in a row spent all their attempts (503). Run again when the service is well; where the records "
        "are at fault and not the service, write `unanswered: park` and run again"
    ]


def test_nobody_is_told_to_give_records_up_where_nothing_was_ever_delivered() -> None:
    def said(rules: StopRules) -> str:
        return [rules.exhausted("503", began=0, again=False, since=0, status=503) for _ in range(5)][-1]

    stopped = "5 deliveries in a row spent all their attempts (503). Run again when the service is well"
    assert said(StopRules()) == stopped
    assert said(StopRules(delivered_before=True)) == (
        f"{stopped}; where the records are at fault and not the service, write `verdicts: {{503: rejected}}` and run "
        "again"
    )


def test_a_share_of_rejected_records_counts_once_a_hundred_have_settled() -> None:
    rules = StopRules(max_rejected_percent=5)
    assert [rules.too_many_rejected(*counted) for counted in ((99, 99), (5, 100))] == ["", ""]
    assert rules.too_many_rejected(6, 100) == (
        "6 of 100 records were rejected, more than `max_rejected: 5%`; raise it or take it away, as it "
        "stops the same command anew each time"
    )


def test_a_success_between_begins_the_row_anew() -> None:
    rules = StopRules()
    for _ in range(4):
        assert rules.exhausted("503", began=0, again=False, since=0) == ""
    rules.success(16, began=0)
    assert rules.exhausted("503", began=0, again=False, since=0) == ""


def test_exhausted_twice_is_final_only_where_another_succeeded_between() -> None:
    rules = StopRules()
    rules.success(16, began=0)
    since = rules.successes
    assert rules.exhausted("503", began=0, again=True, since=since) == (
        "a delivery spent all its attempts twice and nothing succeeded in between (503). Run again when the service is "
        "well; where the records are at fault and not the service, write `unanswered: park` and run again"
    )
    assert "write `verdicts: {503: rejected}` and" in rules.exhausted(
        "503", began=0, again=True, since=since, status=503
    )
    assert rules.exhausted("refused", began=0, again=True, since=since, status=0) == (
        "a delivery spent all its attempts twice and nothing succeeded in between (refused). Run again when the "
        "service is well"
    )
    rules.success(16, began=0)
    assert rules.exhausted("503", began=0, again=True, since=since) == ""


def test_an_answer_to_what_left_before_a_failure_says_nothing_of_it() -> None:
    rules = StopRules()
    for began in range(8):
        rules.success(8, began=began)
    for began in (10, 11, 12, 13):
        rules.failure(began, in_flight=8)
    rules.success(8, began=9)
    rules.rejection("400", began=9)
    assert not rules.probing
    rules.failure(14, in_flight=4)
    assert rules.probing
    rules.success(8, began=13)
    assert not rules.probing
    assert rules.failed == [14]


def test_what_fails_in_a_night_is_not_replaced_and_a_success_opens_the_run_again() -> None:
    rules = StopRules()
    for began in range(7):
        rules.success(100, began=began)
    seen = []
    for in_flight in (8, 7, 6):
        rules.failure(7, in_flight)
        seen.append(rules.in_flight_limit)
    rules.success(100, began=6)
    seen.append(rules.in_flight_limit)
    rules.success(100, began=8)
    assert [*seen, rules.in_flight_limit] == [7, 6, 5, 5, 10]


def test_in_flight_doubles_with_success_and_falls_to_one() -> None:
    rules = StopRules()
    seen = [rules.in_flight_limit]
    for _ in range(6):
        rules.success(20, began=0)
        seen.append(rules.in_flight_limit)
    assert seen == [1, 2, 4, 8, 16, 20, 20]
    rules.exhausted("503", began=0, again=False, since=0)
    assert rules.in_flight_limit == 1


def test_told_how_many_the_first_leaves_alone_and_its_success_lets_as_many_leave() -> None:
    rules = StopRules(at_once=True)
    for _ in range(19):
        rules.rejection("400", began=0)
        assert rules.in_flight_limit == 1
    rules.success(200, began=0)
    assert rules.in_flight_limit == 200


@pytest.mark.parametrize("spent", [False, True], ids=["an attempt", "a delivery"])
def test_told_how_many_it_doubles_all_the_same_once_something_failed(spent: bool) -> None:
    rules = StopRules(at_once=True)
    if spent:
        rules.exhausted("503", began=0, again=False, since=0)
    else:
        rules.failure(0, in_flight=1)
    seen = [rules.in_flight_limit]
    for began in range(1, 6):
        rules.success(12, began=began)
        seen.append(rules.in_flight_limit)
    assert seen == [1, 2, 4, 8, 12, 12]


@given(st.lists(st.sampled_from(["success", "rejected", "exhausted"]), max_size=60), st.integers(1, 50))
def test_limits_hold_whatever_comes(events: list[str], most: int) -> None:
    rules = StopRules()
    for event in events:
        if event == "success":
            rules.success(most, began=0)
        elif event == "rejected":
            rules.rejection("400")
        else:
            rules.exhausted("503", began=0, again=False, since=0)
        assert 1 <= rules.in_flight_limit <= most
