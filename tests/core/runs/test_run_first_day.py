"""What happens on the first day with a destination: wrong settings mended, wrong inputs, plugins that lose records."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, destination, records, rows, within
from tests.core.runs.wire import Wire, answer

import haulier
from haulier.errors import ConfigurationError, PluginError
from haulier.pipeline.places import check_places


def send(made: dict[str, Any], carried: Any, **more: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(made, carried, state="state", **more))


@pytest.mark.parametrize("status", [401, 404, 301])
def test_mended_settings_begin_anew_where_nothing_was_delivered(status: int) -> None:
    Path("in.jsonl").write_text("".join(f'{{"id":{number}}}\n' for number in range(30)))
    with Wire(lambda asked: answer() if asked.target == "/right" else answer(status)) as wire:
        stopped = send(destination(wire.url, target="/wrong"), "in.jsonl")
        assert (stopped.state, stopped.delivered) == ("stopped", 0)
        report = send(destination(wire.url, target="/right"), "in.jsonl")
        assert (report.state, counts(report)) == ("finished", {"delivered": 30})
        again = send(destination(wire.url, target="/right"), "in.jsonl")
        assert again.repeated


def test_settings_changed_in_the_middle_are_refused_with_what_changed() -> None:
    Path("in.jsonl").write_text("".join(f'{{"id":{number}}}\n' for number in range(30)))
    with Wire(lambda asked: answer(401) if json.loads(asked.body)["id"] == 9 else answer()) as wire:
        stopped = send(destination(wire.url, limits={"max_in_flight": 1}), "in.jsonl")
        assert stopped.delivered == 9
        with pytest.raises(ConfigurationError, match="exclude: not set"):
            send(destination(wire.url, exclude=["x"]), "in.jsonl")


def test_lines_of_refused_requests_tell_how_often_they_were_tried() -> None:
    with Wire(lambda asked: answer(404) if asked.number == 0 else answer()) as wire:
        told: list[int] = []
        made = destination(wire.url, outputs=[{"to": "jsonl", "path": "out.jsonl"}])
        report = send(made, records(3), on_delivery=lambda one: told.append(one.attempts))
        assert (report.attempts, told) == (3, [1, 1, 1])
    assert [json.loads(line)["attempts"] for line in Path("out.jsonl").read_text().splitlines()] == [1, 1, 1]


def test_an_input_without_records_is_told() -> None:
    with Wire() as wire:
        report = send(destination(wire.url), [])
        assert (report.state, report.note) == ("finished", "the input holds no records")


def test_an_empty_run_key_is_no_run_key() -> None:
    with Wire() as wire:
        with pytest.raises(
            ConfigurationError, match=r"^the run key is empty; give it a value, or leave it out$"
        ):
            send(destination(wire.url), records(1), run_key="")
        assert wire.asked == []


def test_a_preview_of_records_that_cannot_be_sent_ends() -> None:
    made = destination("http://127.0.0.1:9", request={"url": "http://127.0.0.1:9/{record.gone}"})
    shown = haulier.preview(made, ({"id": number} for number in range(10**9)))
    assert (shown.samples, len(shown.rejected)) == ((), 20)
    assert shown.refused >= 1_000


@pytest.mark.parametrize("path", ["../out.jsonl", "/etc/out.jsonl", "folder"])
def test_a_check_finds_outputs_that_cannot_be_written(path: str) -> None:
    Path("folder").mkdir()
    checked = haulier.check(destination("http://127.0.0.1:9", outputs=[{"to": "jsonl", "path": path}]))
    assert [path in problem for problem in checked.problems] == [True]


@pytest.mark.parametrize(
    "lost", [lambda items: items[1:], lambda items: [*items, items[0]], lambda items: {"n": 2}]
)
def test_a_grouping_that_loses_or_doubles_records_is_found_out(lost: Any) -> None:
    items = [{"id": 1}, {"id": 2}]
    check = partial(check_places, items=items, what="grouping odd", where="record {}".format)
    with pytest.raises(
        PluginError, match=r"^grouping odd left out . of 2 records .*first: record [01]\).*exactly once$"
    ):
        check(lost(items))
    check({"a": {"b": [items[1], {"c": items[0]}]}})
    check({"records": list(items)})
    for payload, told in ((None, "None"), ("text", "a value of type str"), ({1}, "a value of type set")):
        with pytest.raises(
            PluginError, match=f"^grouping odd returned {told}; it must return a dict or a list"
        ):
            check(payload)


def test_many_malformed_records_are_committed_along_the_way() -> None:
    """Memory stays flat: they do not wait for the end of the input."""
    Path("in.jsonl").write_text("no\n" * 30_000)
    with Wire() as wire:
        report = send(destination(wire.url), "in.jsonl")
        assert counts(report) == {"rejected": 30_000}
    assert rows(Path("state"), "select count(*) from record") == [(30_000,)]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"params": {"page": 5}},
            "params: `page` is of type int, and a parameter is a text; give it as one",
        ),
        ({"limit": -1}, "limit: -1 is no number of records; give 0 or more, or leave it out"),
    ],
    ids=str,
)
def test_what_a_program_gives_wrongly_is_refused_in_words(given: dict[str, Any], told: str) -> None:
    """Before anything is sent or kept, by a run as by preview and plan."""
    with Wire() as wire:
        made = destination(f"{wire.url}/{{param.page}}" if "params" in given else wire.url)
        for carry in (haulier.preview, haulier.plan, haulier.send):
            with pytest.raises(ConfigurationError) as caught:
                carry(made, records(2), **given)
            assert str(caught.value) == told
        assert wire.asked == []
    assert not Path(".haulier/d/ledger.db").exists()
