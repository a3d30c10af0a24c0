"""Which carrying is the same run: by its key, or by the destination and the input's own content."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, records, within, write_records
from tests.core.runs.wire import Answer, Asked, Wire, answer
from tests.ports import free_port

import haulier
from haulier.errors import ConfigurationError, InputError, LedgerError

ANOTHER_INPUT = (
    "a run under this key finished before with another input; nothing was sent. Take another --run-key (run_key=) for "
    "this input, or --again (again=True)"
)


def send(wire: Wire, carried: Any, *, run_key: str | None = None, **more: Any) -> haulier.Report:
    given = {name: more.pop(name) for name in ("again", "params", "limit") if name in more}
    made = destination(wire.url, **more)
    return within(60, lambda: haulier.send(made, carried, state="state", run_key=run_key, **given))


def stops_after(count: int) -> tuple[Any, threading.Event]:
    """Answers well so often, then with 401 until the event is set."""
    mended = threading.Event()

    def reply(asked: Asked) -> Answer:
        return answer() if asked.number < count or mended.is_set() else answer(401)

    return reply, mended


def test_a_finished_run_is_not_repeated_and_says_so() -> None:
    path = write_records(Path("in.jsonl"), 5)
    with Wire() as wire:
        first, second = send(wire, path), send(wire, str(path))
        assert len(wire.asked) == 5
    assert (first.repeated, second.repeated, second.run_id) == (False, True, first.run_id)
    assert counts(second) == {"delivered": 5}
    assert "nothing was sent" in second.note


def test_again_repeats_it_as_a_run_of_its_own() -> None:
    path = write_records(Path("in.jsonl"), 5)
    with Wire() as wire:
        first, second = send(wire, path), send(wire, path, again=True)
        assert len(wire.asked) == 10
        keys = [asked.header("idempotency-key") for asked in wire.asked]
        assert len(set(keys)) == 10
    assert first.run_id != second.run_id


@pytest.mark.parametrize("change", ["first", "last", "middle", "grown", "shrunk"])
def test_other_content_at_the_same_path_is_another_run(change: str) -> None:
    """Also where only a byte in the middle differs, which a quick look does not see."""
    path = Path("in.jsonl")
    lines = [json.dumps({"id": number, "text": "x" * 30_000}) for number in range(100)]
    path.write_text("\n".join(lines))
    with Wire() as wire:
        assert counts(send(wire, path, batching={"size": 50})) == {"delivered": 100}
        at = {"first": 0, "middle": 50, "last": 99}.get(change)
        if at is not None:
            lines[at] = lines[at].replace("xx", "yy", 1)
        lines = {"grown": [*lines, lines[0]], "shrunk": lines[:-1]}.get(change, lines)
        path.write_text("\n".join(lines))
        report = send(wire, path, batching={"size": 50})
        assert (report.repeated, counts(report)) == (False, {"delivered": len(lines)})


def test_the_same_content_at_another_path_is_the_same_run() -> None:
    first, second = write_records(Path("a.jsonl"), 3), write_records(Path("b.jsonl"), 3)
    with Wire() as wire:
        send(wire, first)
        assert send(wire, second).repeated
        assert len(wire.asked) == 3


def test_an_unfinished_run_whose_input_changed_is_another_run_without_a_key() -> None:
    path = write_records(Path("in.jsonl"), 40)
    reply, mended = stops_after(3)
    with Wire(reply) as wire:
        first = send(wire, path)
        path.write_text(path.read_text().replace('"id"', '"no"'))
        mended.set()
        second = send(wire, path)
    assert (first.state, second.state) == ("stopped", "finished")
    assert first.run_id != second.run_id
    assert counts(second) == {"delivered": 40}


def test_an_unfinished_run_whose_input_changed_is_refused_under_its_key() -> None:
    path = write_records(Path("in.jsonl"), 40)
    reply, mended = stops_after(3)
    with Wire(reply) as wire:
        first = send(wire, path, run_key="mine")
        asked = len(wire.asked)
        old = path.read_text()
        path.write_text(old.replace('"id":1}', '"id":111}'))
        mended.set()
        with pytest.raises(InputError) as refused:
            send(wire, path, run_key="mine")
        assert len(wire.asked) == asked
        message = str(refused.value)
        assert first.run_id in message
        assert message.count("fingerprint") == 2
        path.write_text(old)
        assert counts(send(wire, path, run_key="mine")) == {"delivered": 40}


def test_an_unfinished_run_whose_input_was_cut_short_is_refused_under_its_key() -> None:
    path = write_records(Path("in.jsonl"), 40)
    reply, mended = stops_after(3)
    with Wire(reply) as wire:
        send(wire, path, run_key="mine")
        write_records(path, 20)
        mended.set()
        with pytest.raises(InputError, match="fewer records than the 40"):
            send(wire, path, run_key="mine")


def test_a_finished_key_with_other_input_sends_nothing_and_warns() -> None:
    with Wire() as wire:
        send(wire, write_records(Path("a.jsonl"), 3), run_key="mine")
        report = send(wire, write_records(Path("b.jsonl"), 4), run_key="mine")
        assert (report.repeated, report.read, len(wire.asked)) == (True, 3, 3)
        assert report.note == ANOTHER_INPUT


@pytest.mark.parametrize("kind", ["records", "file"])
def test_a_finished_key_with_other_content_warns_also_where_a_quick_look_sees_none(kind: str) -> None:
    """DESIGN, 7: nothing is skipped on the quick fingerprint alone."""
    lines = [{"id": number, "text": "x" * 30_000} for number in range(100)]
    with Wire() as wire:
        for _ in range(2):
            carried: Any = lines
            if kind == "file":
                carried = Path("in.jsonl")
                carried.write_text("\n".join(json.dumps(line) for line in lines))
            report = send(wire, carried, run_key="mine", batching={"size": 50})
            lines[50]["text"] = "y" * 30_000
        assert (report.repeated, report.note) == (True, ANOTHER_INPUT)


CHANGES: dict[str, dict[str, Any]] = {
    "exclude": {"exclude": ["x"]},
    "batching": {"batching": {"size": 7}},
    "headers": {"headers": "x-new:1"},
    "target": {"target": "/other"},
    "method": {"request": {"method": "PUT"}},
    "params": {"params": {"x": "2"}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_settings_of_an_unfinished_run_are_refused_and_named(change: str) -> None:
    path = write_records(Path("in.jsonl"), 40)
    reply, mended = stops_after(3)
    with Wire(reply) as wire:
        first = send(wire, path)
        mended.set()
        asked = len(wire.asked)
        with pytest.raises(ConfigurationError) as refused:
            send(wire, path, **CHANGES[change])
        assert first.run_id in str(refused.value)
        assert len(wire.asked) == asked
        assert counts(send(wire, path)) == {"delivered": 40}


def test_limits_outputs_and_patience_may_change_between_two_sittings() -> None:
    path = write_records(Path("in.jsonl"), 40)
    reply, mended = stops_after(3)
    with Wire(reply) as wire:
        send(wire, path)
        mended.set()
        report = send(
            wire,
            path,
            limits={"max_in_flight": 2},
            timeout_s=5,
            description="new words",
            outputs=[{"to": "jsonl", "path": "out.jsonl"}],
        )
        assert counts(report) == {"delivered": 40}


def test_changed_settings_after_the_end_begin_a_new_run() -> None:
    path = write_records(Path("in.jsonl"), 4)
    with Wire() as wire:
        send(wire, path)
        assert not send(wire, path, headers="x-new:1").repeated
        assert len(wire.asked) == 8


def test_a_limit_is_part_of_what_is_carried() -> None:
    path = write_records(Path("in.jsonl"), 10)
    with Wire() as wire:
        assert send(wire, path, limit=3).read == 3
        assert send(wire, path, limit=3).repeated
        assert send(wire, path).read == 10


def test_two_destinations_do_not_know_of_each_other() -> None:
    path = write_records(Path("in.jsonl"), 3)
    with Wire() as wire:
        for name in ("one", "two"):
            made = {**destination(wire.url), "name": name}
            assert not haulier.send(made, path, state="state").repeated
        assert len(wire.asked) == 6


def test_an_empty_input_finishes_and_has_delivered_nothing() -> None:
    Path("empty.jsonl").touch()
    with Wire() as wire:
        report = send(wire, "empty.jsonl")
        assert (report.state, report.read, report.ok, report.exit_code) == ("finished", 0, True, 0)
        assert send(wire, "empty.jsonl").repeated
        assert wire.asked == []


def test_a_destination_whose_run_is_under_way_is_refused_with_its_holder() -> None:
    going = threading.Event()
    over = threading.Event()

    def reply(asked: Asked) -> Answer:
        going.set()
        over.wait(60)
        return answer()

    with Wire(reply) as wire:
        first = threading.Thread(target=lambda: send(wire, records(1)))
        first.start()
        assert going.wait(60)
        with pytest.raises(LedgerError, match="a run of this destination is under way"):
            send(wire, records(1))
        over.set()
        first.join()


def test_a_record_that_cannot_be_read_again_goes_on_under_its_key_from_what_the_ledger_kept() -> None:
    reply, mended = stops_after(3)
    with Wire(reply) as wire:
        first = send(wire, iter(records(40)), run_key="piped", batching={"size": 4})
        assert first.state == "stopped"
        refused = len(wire.asked)
        mended.set()
        report = send(wire, iter(records(40)), run_key="piped", batching={"size": 4})
        assert report.run_id == first.run_id
        assert counts(report) == {"delivered": 40}
        good = [*wire.asked[:3], *wire.asked[refused:]]
        assert sorted(record["id"] for asked in good for record in json.loads(asked.body)) == list(range(40))


def test_a_low_water_mark_is_never_committed_above_a_record_that_waits() -> None:
    """Two gaps of one block are planned at once; the mark between them must wait for the request of both."""
    from tests.core.pipeline.test_planner import planner_of

    from haulier.model.block import Block
    from haulier.runs.inputs.positions import PositionSet
    from haulier.runs.stages.source import PlanSource, Resumed

    planner = planner_of(batching={"size": 10})
    lines = [b'{"id":%d}' % number for number in range(30)]
    resumed = Resumed(
        read=30,
        digest=None,
        low_water=0,
        known=PositionSet([range(5, 10), range(15, 30)]),
        unsettled=[],
        next_number=0,
    )
    source = PlanSource.__new__(PlanSource)
    source._planner, source._resumed = planner, resumed
    placed: set[int] = set()
    for taken in source._pending_again(Block(first=0, lines=lines, plain=True), resumed):
        placed |= {position for request in taken.planned.requests for position in request.positions}
        assert taken.block is not None
        held = source.held()
        mark = held if held is not None else taken.block.first + len(taken.block.lines)
        waiting = {*range(5), *range(10, 15)} - placed
        assert mark <= min(waiting, default=mark)


def test_a_run_that_reached_no_server_begins_anew_under_a_mended_address_after_any_number_of_sittings() -> (
    None
):
    """Nothing can have arrived where every connection was refused, so other settings do no harm."""
    path = write_records(Path("in.jsonl"), 40)
    wrong = destination(f"http://127.0.0.1:{free_port()}", retry={"attempts": 2, "base_s": 0.01})
    sittings = [within(60, lambda: haulier.send(wrong, path, state="state")) for _ in range(2)]
    assert [one.state for one in sittings] == ["stopped", "stopped"]
    assert sittings[0].run_id == sittings[1].run_id
    with Wire() as wire:
        report = send(wire, path)
        assert counts(report) == {"delivered": 40}
        assert report.run_id != sittings[0].run_id


def test_a_run_whose_request_may_have_arrived_once_does_not_begin_anew_though_the_server_is_gone_now() -> (
    None
):
    path = write_records(Path("in.jsonl"), 1)
    patience = {"retry": {"attempts": 2, "base_s": 0.01}}
    with Wire(lambda asked: answer(503)) as wire:
        first = send(wire, path, **patience)
        made = destination(wire.url, **patience)
    assert within(60, lambda: haulier.send(made, path, state="state")).run_id == first.run_id
    with Wire() as other, pytest.raises(ConfigurationError, match="begun with other settings"):
        send(other, path, **patience)


def test_a_run_without_records_does_not_use_up_its_key() -> None:
    for name, given in (
        ("file", lambda count: write_records(Path("in.jsonl"), count)),
        ("iterator", iterated),
    ):
        with Wire() as wire:
            empty = send(wire, given(0), run_key=name)
            report = send(wire, given(3), run_key=name)
            assert (empty.read, report.repeated, counts(report)) == (0, False, {"delivered": 3})
            assert len(wire.asked) == 3


def iterated(count: int) -> Any:
    return iter(records(count))


def test_the_note_says_that_an_iterator_under_a_finished_key_was_not_compared() -> None:
    with Wire() as wire:
        send(wire, iterated(3), run_key="mine")
        left = iterated(4)
        report = send(wire, left, run_key="mine")
        assert (report.repeated, len(list(left)), len(wire.asked)) == (True, 4, 3)
    assert report.note == (
        "a run under this key finished before; nothing was read or sent, so whether this is the same input nobody "
        "compared. Take another --run-key (run_key=) for other input; --again repeats it, again=True in Python"
    )


@pytest.mark.parametrize("key", ["a\nb", "k" * 201, "a\x1b[2J"])
def test_a_run_key_is_one_printable_line_of_bounded_length(key: str) -> None:
    with Wire() as wire:
        with pytest.raises(ConfigurationError, match="the run key"):
            send(wire, iterated(1), run_key=key)
        assert wire.asked == []
        assert counts(send(wire, iterated(1), run_key="k" * 200)) == {"delivered": 1}


def test_an_iterator_that_gives_other_records_is_refused_without_words_about_fingerprints_it_has_not() -> (
    None
):
    reply, _ = stops_after(3)
    with Wire(reply) as wire:
        first = send(wire, iterated(40), run_key="piped")
        with pytest.raises(InputError) as refused:
            send(wire, iter([{"id": 99}] * 40), run_key="piped")
    assert first.run_id in str(refused.value)
    assert "fingerprint" not in str(refused.value)
