"""Dead letters are carried once more by a run of its own: mended or not, each once, and it knows its parents."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, rows, within
from tests.core.runs.wire import Answer, Asked, Cut, Wire, answer

import haulier
from haulier.errors import ConfigurationError
from haulier.io.ledger.store import LedgerView


class Service:
    """Takes what has a price; asked for `silent` ids it hangs up, and `down` it wants another key."""

    def __init__(self) -> None:
        self.silent: set[int] = set()
        self.down = False

    def __call__(self, asked: Asked) -> Answer:
        record = json.loads(asked.body)
        if self.down:
            return answer(401)
        if record["id"] in self.silent:
            return Cut()
        if "price" not in record:
            return answer(422, b'{"why": "no price"}')
        return answer() if record["price"] > 0 else answer(400, b'{"why": "not above 0"}')


RECORDS = [{"id": 0, "price": 1}, {"id": 1}, {"id": 2, "price": 0}, {"id": 3, "price": 2}, {"id": 4}]


def made(wire: Wire, **more: Any) -> dict[str, Any]:
    return destination(wire.url, **{"key": "id", **more})


def replay(wire: Wire, **more: Any) -> haulier.Report:
    settings = {
        name: more.pop(name)
        for name in list(more)
        if name in ("batching", "unanswered", "exclude", "request")
    }
    return within(60, lambda: haulier.replay(made(wire, **settings), state="state", **more))


def send(wire: Wire, records: Any = RECORDS, **more: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(made(wire, **more), records, state="state"))


def letters(run_id: str | None = None) -> list[tuple[int, bool]]:
    """(position, whether replayed) of the dead letters of a run."""
    with closing(LedgerView.open(Path("state/d"))) as view:
        run = view.run(run_id) if run_id else view.runs()[0]
        assert run is not None
        return [(one["position"], one["replayed"] is not None) for one in view.records(run)]


def arrived(wire: Wire) -> list[Any]:
    return sorted((json.loads(body) for body in wire.bodies), key=lambda record: record["id"])


def mended(path: str, run: haulier.Report, records: dict[int, Any]) -> str:
    lines = [
        {"shape": 1, "run_id": run.run_id, "position": at, "record": record} for at, record in records.items()
    ]
    Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_replay_is_a_run_of_its_own_that_knows_its_parent_and_carries_each_once() -> None:
    with Wire(Service()) as wire:
        first = send(wire)
        assert counts(first) == {"delivered": 2, "rejected": 3}
        wire.reply = lambda asked: answer()
        wire.asked.clear()
        second = replay(wire)
        assert arrived(wire) == [RECORDS[1], RECORDS[2], RECORDS[4]]
        assert (second.parent, second.run_id != first.run_id, counts(second)) == (
            first.run_id,
            True,
            {"delivered": 3},
        )
        assert letters(first.run_id) == [(1, True), (2, True), (4, True)]
        with pytest.raises(
            ConfigurationError, match=r"nothing is left to replay: 3 were replayed before \(--again"
        ):
            replay(wire)
        assert len(wire.asked) == 3
        third = replay(wire, again=True)
        assert (third.parent, counts(third), len(wire.asked)) == (first.run_id, {"delivered": 3}, 6)


def test_the_parent_keeps_its_counts() -> None:
    with Wire(Service()) as wire:
        first = send(wire)
        wire.reply = lambda asked: answer()
        replay(wire)
        assert rows(Path("state"), "select delivered, rejected from run order by id limit 1") == [(2, 3)]
        assert counts(first) == {"delivered": 2, "rejected": 3}


def test_what_is_rejected_again_is_a_dead_letter_of_the_replay() -> None:
    with Wire(Service()) as wire:
        first = send(wire)
        wire.reply = lambda asked: answer(400) if b'"id":1' in asked.body else answer()
        second = replay(wire)
        assert counts(second) == {"delivered": 2, "rejected": 1}
        assert letters(second.run_id) == [(0, False)]
        with closing(LedgerView.open(Path("state/d"))) as view:
            row = view.run(second.run_id)
            assert row is not None
            assert view.origin(row, 0) == (first.run_id, 1)
        wire.reply = lambda asked: answer()
        third = replay(wire)
        assert (third.parent, counts(third)) == (second.run_id, {"delivered": 1})


def test_dead_letters_of_several_runs_go_in_one_replay_oldest_first() -> None:
    with Wire(Service()) as wire:
        first, second = send(wire, RECORDS[:2]), send(wire, RECORDS[1:3])
        wire.reply = lambda asked: answer()
        third = replay(wire)
        assert (third.parent, counts(third)) == (f"{first.run_id},{second.run_id}", {"delivered": 3})
        assert rows(Path("state"), "select parent, parent_position, text from replay order by position") == [
            (1, 1, b'{"id":1}'),
            (2, 0, b'{"id":1}'),
            (2, 1, b'{"id":2,"price":0}'),
        ]


def test_one_run_of_several() -> None:
    with Wire(Service()) as wire:
        send(wire, RECORDS[:2])
        second = send(wire, RECORDS[1:3])
        wire.reply = lambda asked: answer()
        assert counts(replay(wire, run=second.run_id[:8])) == {"delivered": 2}
        with pytest.raises(ConfigurationError, match="no run of this destination begins with 'nope'"):
            replay(wire, run="nope")


def test_chosen_by_reason_in_any_case() -> None:
    with Wire(Service()) as wire:
        send(wire)
        wire.reply = lambda asked: answer()
        wire.asked.clear()
        assert counts(replay(wire, reason="NO Price")) == {"delivered": 2}
        assert arrived(wire) == [RECORDS[1], RECORDS[4]]
        with pytest.raises(ConfigurationError, match=r"2 were replayed before .*; 1 do not fit"):
            replay(wire, reason="no price")


def test_what_is_in_doubt_may_have_arrived_and_is_replayed_only_where_that_is_asked_for() -> None:
    service = Service()
    service.silent = {3}
    with Wire(service) as wire:
        assert counts(send(wire, unanswered="park")) == {"delivered": 1, "rejected": 3, "in_doubt": 1}
        wire.reply = lambda asked: answer()
        wire.asked.clear()
        assert counts(replay(wire)) == {"delivered": 3}
        assert RECORDS[3] not in arrived(wire)
        with pytest.raises(ConfigurationError, match=r"3 were replayed before .*; 1 do not fit \(--only"):
            replay(wire)
        assert counts(replay(wire, only="in_doubt")) == {"delivered": 1}
        assert RECORDS[3] in arrived(wire)


def test_mended_records_are_linked_to_the_dead_letters_they_were() -> None:
    """Those of the file alone, byte for byte as they stand there."""
    with Wire(Service()) as wire:
        first = send(wire)
        path = mended(
            "mended.jsonl", first, {4: {"id": 4, "price": 12345678901234567890123}, 1: {"id": 1, "price": 1}}
        )
        wire.asked.clear()
        second = replay(wire, records=path)
        assert counts(second) == {"delivered": 2}
        assert sorted(wire.bodies) == [
            b'{"id": 1, "price": 1}',
            b'{"id": 4, "price": 12345678901234567890123}',
        ]
        assert letters(first.run_id) == [(1, True), (2, False), (4, True)]
        assert rows(Path("state"), "select position, parent_position from replay order by position") == [
            (0, 4),
            (1, 1),
        ]


def test_a_malformed_line_is_mended_as_well() -> None:
    Path("in.jsonl").write_text('{"id": 0, "price": 1}\n{"id": 1, "price"\n')
    with Wire(Service()) as wire:
        first = send(wire, "in.jsonl")
        assert counts(first) == {"delivered": 1, "rejected": 1}
        assert counts(replay(wire)) == {"rejected": 1}
        assert counts(replay(wire, again=True, records=mended("m", first, {1: {"id": 1, "price": 3}}))) == {
            "delivered": 1
        }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '{"position": 1, "record": {}}',
            "m.jsonl, line 2: is no exported dead letter: .*run_id.*; mend what",
        ),
        ("nonsense", "m.jsonl, line 2: is no exported dead letter"),
        *(
            (
                f'{{"run_id": "RUN", "position": {far}, "record": {{}}}}',
                "line 2: is no exported dead letter: .*position",
            )
            for far in (-1, 1 << 63, 10**400)
        ),
        (
            '{"run_id": "RUN", "position": 0, "record": {}}',
            "line 2: .*position 0 .* is no dead letter of what is",
        ),
        ('{"run_id": "other", "position": 1, "record": {}}', "line 2: .*of run other is no dead letter"),
        ('{"run_id": "RUN", "position": 2}', "line 2: holds no record; write it as JSON under `record`"),
        ('{"run_id": "RUN", "position": 2, "record": null, "text": null}', "line 2: holds no record"),
        ('{"run_id": "RUN", "position": 2, "text": "a\\nb"}', "line 2: the text has a line break"),
        (
            '{"run_id": "RUN", "position": 2, "record":[1], "text": "{}"}',
            r"m.jsonl, line 2: `record` is \[1\], no JSON object; write the record as",
        ),
        ('{"run_id": "RUN", "position": 2, "record": "a"}', 'line 2: `record` is "a", no JSON object'),
        ('{"run_id": "RUN", "position": 1, "record": {}}', "line 2: .* stands in the file twice"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_whole(line: str, said: str) -> None:
    with Wire(Service()) as wire:
        first = send(wire)
        mended("m.jsonl", first, {1: {"id": 1, "price": 1}})
        with Path("m.jsonl").open("a") as file:
            file.write(line.replace("RUN", first.run_id) + "\n")
        wire.asked.clear()
        with pytest.raises(ConfigurationError, match=said):
            replay(wire, records="m.jsonl")
        assert (wire.asked, rows(Path("state"), "select count(*) from run")) == ([], [(1,)])


def test_a_line_that_was_replayed_or_is_in_doubt_is_refused_with_the_way_out() -> None:
    service = Service()
    service.silent = {3}
    with Wire(service) as wire:
        first = send(wire, unanswered="park")
        service.silent.clear()
        path = mended("m.jsonl", first, {3: RECORDS[3]})
        with pytest.raises(
            ConfigurationError, match=r"does not fit: it is in_doubt, .*choose it \(--only, only= in Python\)"
        ):
            replay(wire, records=path)
        assert counts(replay(wire, records=path, only="all")) == {"delivered": 1}
        with pytest.raises(
            ConfigurationError, match=r"was replayed by run .*or replay it once more \(--again, again=True"
        ):
            replay(wire, records=path, only="all")


def test_a_stopped_replay_goes_on_and_is_not_begun_twice() -> None:
    service = Service()
    with Wire(service) as wire:
        first = send(wire, [RECORDS[0], *({"id": number} for number in range(1, 31))])
        seen = len(wire.asked)
        wire.reply = lambda asked: answer() if asked.number < seen + 10 else answer(401)
        second = replay(wire)
        assert (second.state, second.delivered >= 10 - 1) == ("stopped", True)
        with pytest.raises(
            ConfigurationError,
            match=f"replay {second.run_id} is unfinished and was begun with another choice",
        ):
            replay(wire, reason="x")
        wire.reply = lambda asked: answer()
        third = replay(wire)
        assert (third.run_id, third.parent, counts(third)) == (second.run_id, first.run_id, {"delivered": 30})


@pytest.mark.parametrize(
    ("chosen", "others"),
    [
        ({"only": "all"}, [{"only": "in_doubt"}, {"records": "m.jsonl"}]),
        ({"reason": "no PRICE", "again": True}, [{"reason": "no price"}, {"reason": "price", "again": True}]),
        ({"records": "m.jsonl"}, [{"records": "other.jsonl"}, {"only": "all"}]),
    ],
)
def test_a_stopped_replay_goes_on_by_the_same_choice_and_no_other(
    chosen: dict[str, Any], others: list[dict[str, Any]]
) -> None:
    service = Service()
    with Wire(service) as wire:
        first = send(wire, [RECORDS[0], *({"id": number} for number in range(1, 31))])
        mended("m.jsonl", first, {at: {"id": at, "price": 1} for at in range(1, 31)})
        mended("other.jsonl", first, {at: {"id": at, "price": 2} for at in range(1, 31)})
        seen = len(wire.asked)
        wire.reply = lambda asked: answer() if asked.number < seen + 10 else answer(401)
        second = replay(wire, **chosen)
        assert second.state == "stopped"
        for other in others:
            with pytest.raises(ConfigurationError, match=f"replay {second.run_id} is unfinished"):
                replay(wire, **other)
        wire.reply = lambda asked: answer()
        third = replay(wire, **chosen)
        assert (third.run_id, counts(third)) == (second.run_id, {"delivered": 30})


def test_a_replay_of_which_nothing_arrived_begins_anew_with_mended_settings() -> None:
    """A wrong address or key is found out at once: that must not tie its records up."""
    with Wire(Service()) as wire:
        first = send(wire)
        wire.reply = lambda asked: answer(401)
        second = replay(wire)
        assert second.state == "stopped"
        wire.reply = lambda asked: answer()
        third = replay(wire, exclude=["price"])
        assert (third.parent, counts(third)) == (first.run_id, {"delivered": 3})
        assert rows(Path("state"), "select count(*) from run") == [(2,)]


def test_a_destination_without_dead_letters_says_so() -> None:
    with Wire() as wire:
        send(wire)
        with pytest.raises(ConfigurationError, match="nothing is left to replay: there are no dead letters"):
            replay(wire)
        Path("empty.jsonl").write_text("\n")
        with pytest.raises(ConfigurationError, match=r"empty\.jsonl: holds no dead letters"):
            replay(wire, records="empty.jsonl")


def test_a_replay_in_batches_takes_ten_thousand() -> None:
    many = [{"id": number} for number in range(10_000)]
    with Wire(lambda asked: answer(400) if asked.number else answer()) as wire:
        send(wire, many, batching={"size": 1000}, limits={"max_in_flight": 1})
        wire.reply = lambda asked: answer()
        assert counts(replay(wire, batching={"size": 1000})) == {"delivered": 9_000}
