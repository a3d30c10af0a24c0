"""What a program hands over wrongly is refused as a HaulierError that names the argument, before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import destination

import haulier
from haulier.errors import ConfigurationError

MADE: Any = destination("http://127.0.0.1:9")
ROWS: Any = [{"id": 1}]
WRONG: Any = 5


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write(**named: Any) -> None:
    with haulier.open_run(MADE, state="state") as run:
        run.write([], **named)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: haulier.send(MADE, ROWS, run_key=WRONG), "run_key: must be a text"),
        (lambda: haulier.open_run(MADE, run_key=WRONG), "run_key: must be a text"),
        (lambda: _write(id=WRONG), "id: must be a text"),
        (lambda: asyncio.run(haulier.asend(MADE, ROWS, run_key=WRONG)), "run_key: must be a text"),
        (
            lambda: haulier.send(WRONG, ROWS),
            "destination: must be a name, a path, a mapping or a Destination",
        ),
        (lambda: haulier.check(WRONG), "destination: must be a name, a path, a mapping or a Destination"),
        (lambda: haulier.send(MADE, ROWS, state=WRONG), "state: must be the path of a folder"),
        (
            lambda: haulier.send(MADE, ROWS, credential=WRONG),
            "credential: must be the name of a stored credential, or a mapping of its values by field",
        ),
        (
            lambda: haulier.send(MADE, ROWS, on_delivery=WRONG),
            "on_delivery: must be a function of one argument",
        ),
        (lambda: haulier.send(MADE, ROWS, params=WRONG), "params: must be a mapping of texts by name"),
        (lambda: haulier.send(MADE, ROWS, again=WRONG), "again: must be True or False"),
        (lambda: haulier.preview(MADE, ROWS, base_url=WRONG), "base_url: must be a text"),
        (lambda: haulier.plan(MADE, ROWS, format=WRONG), "format: must be a text"),
        (lambda: haulier.test_send(MADE, ROWS, params=WRONG), "params: must be a mapping of texts by name"),
        (lambda: haulier.replay(MADE, reason=WRONG), "reason: must be a text"),
        (lambda: haulier.replay(MADE, run=WRONG), "run: must be a text"),
        (lambda: haulier.replay(MADE, records=WRONG), "records: must be the path of a file"),
        (lambda: haulier.follow(WRONG), "run: must be a text"),
    ],
)
def test_an_argument_of_another_type_is_refused_by_name(call: Callable[[], object], told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        call()
    assert str(refused.value) == f"{told}, and not of type int"


def test_records_that_are_asynchronous_are_refused_with_what_to_do() -> None:
    async def given() -> AsyncIterator[dict[str, int]]:
        yield {"id": 1}

    records: Any = given()
    with pytest.raises(ConfigurationError) as refused:
        asyncio.run(haulier.asend(MADE, records, state="state"))
    assert str(refused.value) == (
        "records: one async_generator is asynchronous, which no run can pull; write what it gives to an `open_run`, "
        "some records at a time, or collect it: [one async for one in records]"
    )


@pytest.mark.parametrize("call", [haulier.send, haulier.open_run, haulier.replay])
def test_an_argument_that_there_is_not_is_refused_with_the_one_meant(call: Callable[..., object]) -> None:
    given = (MADE, ROWS) if call is haulier.send else (MADE,)
    with pytest.raises(ConfigurationError) as refused:
        call(*given, state_dir="state")
    assert str(refused.value) == "there is no argument `state_dir` here; did you mean `state`?"


def test_a_choice_of_dead_letters_that_there_is_not_is_refused_as_such() -> None:
    only: Any = "x"
    with pytest.raises(ConfigurationError) as refused:
        haulier.replay(MADE, only=only)
    assert str(refused.value) == "only: 'x' is no choice of dead letters; take one of rejected, in_doubt, all"
