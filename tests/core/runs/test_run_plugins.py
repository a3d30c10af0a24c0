"""What a stranger's code, the caller's own or the disk does wrong ends the run with words, and never hangs it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.runs.carrying import counts, destination, records, rows, within
from tests.core.runs.wire import Wire
from tests.made import made_endpoint

import haulier
from haulier.authoring import DELIVERED, Outcomes, Verdict, hookimpl
from haulier.errors import PluginError, RecordError
from haulier.model.connector import Connector, EndpointTemplate
from haulier.model.parts import (
    Added,
    CredentialType,
    GroupingAlgorithm,
    NoSettings,
    OutputType,
    Portion,
    Token,
    TokenRequest,
)
from haulier.model.request import Request, Response
from haulier.plugins import http
from haulier.plugins.loading import load
from haulier.plugins.registry import Registry
from haulier.runs.resolving.builtins import Builtins


class Faulty(Exception):
    """What a plugin raises that nobody expects."""


class Plugin:
    """A stranger's plugin whose parts fail as they are told."""

    judge: Callable[[Request, Response], Verdict | Outcomes | None] = staticmethod(
        lambda request, response: None
    )
    shape: Callable[[Sequence[Any]], Any] = staticmethod(list)
    written: list[bytes]
    error: Exception | SystemExit | None = None
    failures: int = 1000
    tokens: int = 0
    asked: int = 0
    answered: int = 0

    def __init__(self) -> None:
        self.written = []

    @hookimpl
    def haulier_connectors(self) -> list[Connector]:
        return [Connector(name="strange", title="Strange", description="A stranger's.", credential_type="")]

    @hookimpl
    def haulier_endpoint_templates(self) -> list[EndpointTemplate]:
        made = made_endpoint(
            "call",
            connector="strange",
            method="POST",
            path="/call",
            attributes="body",
            content_formats=("json",),
            judge=lambda request, response: self.judge(request, response),  # noqa: PLW0108 - set later
        )
        many = {"name": "many", "batch": "container", "batching": {"grouping": "strange"}}
        return [made, made.model_copy(update=many)]

    @hookimpl
    def haulier_grouping_algorithms(self) -> list[GroupingAlgorithm]:
        plugin = self

        class Grouping:
            def build(self, items: Sequence[Any]) -> Any:
                if plugin.error is not None:
                    raise plugin.error
                return plugin.shape(items)

        return [
            GroupingAlgorithm(
                name="strange",
                title="Strange",
                description="A stranger's.",
                factory=lambda settings: Grouping(),
            )
        ]

    @hookimpl
    def haulier_credential_types(self) -> list[CredentialType]:
        def apply(request: Request, settings: Any, now: float) -> Added:
            if request.number >= self.tokens:
                raise self.error or Faulty("no token today")
            return Added()

        def acquire(settings: Any, now: float) -> Generator[TokenRequest, Response, Token]:
            self.asked += 1
            if self.asked > self.answered:
                raise self.error or Faulty("no token today")
            yield TokenRequest(url="http://127.0.0.1:9/token")
            return Token(value="none")

        made = CredentialType(
            name="strange", title="Strange", description="A stranger's.", settings=NoSettings, apply=apply
        )
        return [made, replace(made, name="strange-asking", acquire=acquire)]

    @hookimpl
    def haulier_outputs(self) -> list[OutputType]:
        plugin = self

        class Output:
            def write(self, lines: Sequence[bytes]) -> None:
                if plugin.error is not None and plugin.failures:
                    plugin.failures -= 1
                    raise plugin.error
                plugin.written += lines

            def close(self) -> None:
                pass

        return [
            OutputType(
                name="strange",
                title="Strange",
                description="A stranger's.",
                settings=NoSettings,
                factory=lambda settings, doors: Output(),
            )
        ]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Plugin:
    made = Plugin()
    registry = Registry.of(load([Builtins(), http, made], allowed=""))
    monkeypatch.setattr("haulier.runs.sittings.sending.load_registry", lambda: registry)
    return made


def call(wire: Wire, **written: Any) -> dict[str, Any]:
    return {"name": "d", "connector": "strange", "endpoint": "call", "base_url": wire.url, **written}


def send(made: dict[str, Any], carried: Any, **more: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(made, carried, state="state", **more))


def _fails_at(
    number: int, error: Exception | SystemExit | None = None
) -> Callable[[Request, Response], Verdict | None]:
    def judge(request: Request, response: Response) -> Verdict | None:
        if request.number == number:
            raise error or Faulty("cannot read this")
        return None

    return judge


def test_a_judge_speaks_of_each_record_of_a_batch(plugin: Plugin) -> None:
    """With what plugin authors have: what it asks for again goes out again, alone."""

    def judge(request: Request, response: Response) -> Outcomes:
        kinds = {
            0: DELIVERED,
            1: Verdict("rejected", "odd"),
            2: Verdict("unknown", "what"),
            3: Verdict("retry", "later"),
        }
        again = len(request.positions) == 1
        return Outcomes([DELIVERED if again else kinds[position] for position in request.positions])

    plugin.judge = judge
    with Wire() as wire:
        report = send(call(wire, endpoint="many"), [{"id": number} for number in range(4)])
        assert counts(report) == {"delivered": 2, "rejected": 1, "in_doubt": 1}
        assert wire.bodies == [b'[{"id":0},{"id":1},{"id":2},{"id":3}]', b'[{"id":3}]']


def test_a_judge_that_raises_ends_the_run_which_goes_on_when_it_is_mended(plugin: Plugin) -> None:
    Path("in.jsonl").write_text("".join(f'{{"id":{number}}}\n' for number in range(30)))
    with Wire(delay_s=0.01) as wire:
        plugin.judge = _fails_at(10)
        with pytest.raises(Exception, match="cannot read this"):
            send(call(wire), "in.jsonl")
        assert rows(Path("state"), "select state from run") == [("stopped",)]
        plugin.judge = lambda request, response: None
        report = send(call(wire), "in.jsonl")
        assert counts(report) == {"delivered": 30}
        twice = [json.loads(asked.body)["id"] for asked in wire.asked].count(10)
        assert twice == 2
        assert len({asked.header("idempotency-key") for asked in wire.asked}) == 30


@pytest.mark.parametrize(("error", "told"), [(Faulty("no"), "Faulty: no"), (SystemExit(3), "SystemExit: 3")])
@pytest.mark.parametrize("part", ["judge", "grouping", "credential", "acquire", "acquire again", "output"])
def test_a_plugin_that_raises_is_named(
    part: str, error: Exception | SystemExit, told: str, plugin: Plugin
) -> None:
    with Wire() as wire:
        made, more = call(wire), {}
        plugin.error = error
        if part == "judge":
            plugin.judge = _fails_at(0, error)
        elif part == "grouping":
            made = destination(wire.url, batching={"size": 2, "grouping": "strange"})
        elif part == "output":
            made = call(wire, outputs=[{"to": "strange"}])
        elif part == "credential":
            more = {"credential": {"type": "strange"}}
        else:
            plugin.answered = 1 if part == "acquire again" else 0
            origins = [wire.url, "http://127.0.0.1:9"]
            more = {"credential": {"type": "strange-asking", "origins": origins}}
        with pytest.raises(PluginError, match=f"strange.* raised {told}"):
            send(made, records(20), **more)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (
            lambda items: {"n": items[:-1]},
            "left out 1 of 20 records and placed 0 more than once (first: record 19)",
        ),
        (
            lambda items: (Portion(payload=items[:-1], carries=range(len(items) - 1)),),
            "the payloads leave out 1 of 20 records and carry 0 more than once (record 19 is in none)",
        ),
        (
            lambda items: (Portion(payload=list(items), carries=range(len(items) + 1)),),
            "a payload names the record 20 of a batch of 20; they count from 0",
        ),
        (
            lambda items: (Portion(payload=items[:1], carries=[0]), "the rest"),
            "a tuple of Portion has 'the rest' at its place 1; make each of its payloads a Portion",
        ),
        (
            lambda items: (None, Portion(payload=list(items))),
            "a tuple of Portion has None at its place 0; make each of its payloads a Portion",
        ),
        (
            lambda items: (Portion(payload=list(items), carries=7),),  # type: ignore[arg-type]
            "a payload carries 7; give the indices of its records in the batch: carries=[0, 1]",
        ),
        (
            lambda items: (Portion(payload=list(items), carries="0" * 99),),  # type: ignore[arg-type]
            f"a payload carries '{'0' * 59}...; give the indices of its records in the batch: carries=[0, 1]",
        ),
        (
            lambda items: (Portion(payload=list(items), carries=[True, False]),),
            "a payload carries [True, False]; give the indices of its records in the batch: carries=[0, 1]",
        ),
    ],
)
def test_what_a_grouping_does_wrong_stops_the_run_and_rejects_nobody(
    shape: Callable[[Sequence[Any]], Any], told: str, plugin: Plugin
) -> None:
    plugin.shape = shape
    with Wire() as wire:
        made = destination(wire.url, batching={"size": 20, "grouping": "strange"})
        with pytest.raises(PluginError) as caught:
            send(made, records(60), run_key="k")
        assert str(caught.value).startswith(f"destination `{made['name']}`: grouping strange (plugin ")
        assert told in str(caught.value)
        assert rows(Path("state"), "select state, rejected, in_doubt from run") == [("stopped", 0, 0)]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            KeyError("sku"),
            "batching: grouping strange (plugin {}) raised KeyError: 'sku', for a record without attributes; it should "
            "refuse by RecordError what it cannot place, as anything else stops the run",
        ),
        (RecordError("no sku"), None),
        (None, None),
    ],
)
def test_a_check_tells_what_a_grouping_raises_of_an_empty_record_and_refuses_it_not(
    error: Any, told: str | None, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be right for all records that come."""
    registry = Registry.of(load([Builtins(), http, plugin], allowed=""))
    monkeypatch.setattr("haulier.runs.destinations.trying.load_registry", lambda: registry)
    plugin.error = error
    checked = haulier.check(
        destination("http://127.0.0.1:9", batching={"size": 2, "grouping": "strange"}, key="id")
    )
    bringer = registry.plugin_of(registry.grouping("strange"))
    assert bringer is not None
    whence = bringer.place.removeprefix("plugin ")
    assert checked.problems == ()
    assert [one for one in checked.warnings if "grouping" in one] == ([told.format(whence)] if told else [])


def test_a_grouping_that_raises_ends_the_run_while_requests_are_under_way(plugin: Plugin) -> None:
    def late() -> Iterator[dict[str, Any]]:
        yield from records(600)
        plugin.error = Faulty("no more")
        yield from records(600)

    with Wire(delay_s=0.02) as wire:
        with pytest.raises(Exception, match="no more"):
            send(destination(wire.url, batching={"size": 50, "grouping": "strange"}), late())
        assert rows(Path("state"), "select state, accepted, rejected, in_doubt from run") == [
            ("stopped", 0, 0, 0)
        ]


@pytest.mark.parametrize("tokens", [0, 4])
def test_a_credential_that_raises_ends_the_run(tokens: int, plugin: Plugin) -> None:
    plugin.tokens = tokens
    with Wire() as wire:
        limits = {"max_in_flight": 1}
        with pytest.raises(Exception, match="no token today"):
            within(20, lambda: send(call(wire, limits=limits), records(8), credential={"type": "strange"}))
        assert len(wire.asked) == tokens
        assert rows(Path("state"), "select delivered, rejected + in_doubt from run") == [(tokens, 0)]


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), haulier.HaulierError("the hook is gone")]
)
def test_an_output_that_fails_stops_the_run_and_gets_its_lines_later(
    error: Exception, plugin: Plugin
) -> None:
    Path("in.jsonl").write_text("".join(f'{{"id":{number}}}\n' for number in range(60)))
    with Wire() as wire:
        made = call(wire, outputs=[{"to": "strange"}])
        plugin.error = error
        stopped = send(made, "in.jsonl")
        assert stopped.state == "stopped"
        assert "output 1" in stopped.reason
        plugin.error = None
        report = send(made, "in.jsonl")
        assert (report.state, counts(report)) == ("finished", {"delivered": 60})
        assert sorted(json.loads(line)["positions"][0] for line in plugin.written) == list(range(60))
        assert len(wire.asked) == 60
    assert rows(Path("state"), "select count(*) from owed") == [(0,)]


@pytest.mark.parametrize("failures", [1, 1000])
def test_an_output_that_raises_what_nobody_expects_loses_no_line(failures: int, plugin: Plugin) -> None:
    """The run may not end as finished while lines are owed: a finished run is not taken up again."""
    Path("in.jsonl").write_text("".join(f'{{"id":{number}}}\n' for number in range(60)))
    with Wire(delay_s=0.005) as wire:
        made = call(wire, outputs=[{"to": "strange"}])
        plugin.error, plugin.failures = Faulty("cannot"), failures
        try:
            report = send(made, "in.jsonl")
        except PluginError:
            pass
        else:
            assert report.state != "finished"
        plugin.error = None
        send(made, "in.jsonl")
        assert sorted({json.loads(line)["positions"][0] for line in plugin.written}) == list(range(60))


def test_what_the_callers_own_iterator_raises_is_raised_after_what_came_before() -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield from records(600)
        raise Faulty("the database is gone")

    with Wire(delay_s=0.005) as wire:
        with pytest.raises(Faulty, match="the database is gone"):
            send(destination(wire.url, batching={"size": 10}), broken(), run_key="k")
        ((state, read, low),) = rows(Path("state"), "select state, read, low_water from run")
        assert state == "stopped"
        assert low <= read
        report = send(destination(wire.url, batching={"size": 10}), iter(records(600)), run_key="k")
        assert counts(report) == {"delivered": 600}
        found = [record["id"] for asked in wire.asked for record in json.loads(asked.body)]
        assert sorted(set(found)) == list(range(600))


def test_what_an_onlooker_raises_ends_the_run_and_loses_nothing() -> None:
    Path("in.jsonl").write_text("".join(f'{{"id":{number}}}\n' for number in range(30)))

    def looks(told: haulier.Delivered) -> None:
        if told.number == 7:
            raise Faulty("I cannot look")

    with Wire() as wire:
        with pytest.raises(Faulty, match="I cannot look"):
            send(destination(wire.url), "in.jsonl", on_delivery=looks)
        assert counts(send(destination(wire.url), "in.jsonl")) == {"delivered": 30}
        assert len({asked.body for asked in wire.asked}) == 30


def test_an_input_that_ends_in_the_middle_carries_what_came_before() -> None:
    Path("in.json").write_text("[" + ",".join(json.dumps(record) for record in records(50)) + ',{"id":')
    with Wire(delay_s=0.01) as wire:
        report = send(destination(wire.url), "in.json")
        assert (report.state, counts(report)) == ("stopped", {"delivered": 50})
        assert "in.json" in report.reason
        assert sorted(json.loads(asked.body)["id"] for asked in wire.asked) == list(range(50))
        Path("in.json").write_text(json.dumps(records(51)))
        report = send(destination(wire.url), "in.json")
        assert report.state == "finished"


def test_a_missing_input_is_named_and_leaves_no_run_behind() -> None:
    with Wire() as wire:
        with pytest.raises(haulier.HaulierError, match=r"nowhere\.jsonl"):
            send(destination(wire.url), "nowhere.jsonl")
        assert wire.asked == []
    assert [path for path in Path("state").rglob("*") if path.is_file()] == []


def test_a_state_folder_that_vanishes_does_not_hang_the_run(folder: Path) -> None:
    import shutil

    gone = threading.Event()

    def reply(asked: Any) -> bytes:
        if asked.number == 5 and not gone.is_set():
            gone.set()
            shutil.rmtree(folder / "state")
        from tests.core.runs.wire import answer

        return answer()

    with Wire(reply) as wire:
        try:
            report = send(destination(wire.url), records(50))
        except haulier.HaulierError:
            return
        assert sum(counts(report).values()) == 50


def test_an_output_path_outside_the_project_is_refused_before_anything_is_sent() -> None:
    with Wire() as wire:
        with pytest.raises(haulier.ConfigurationError, match="outside"):
            send(destination(wire.url, outputs=[{"to": "jsonl", "path": "../out.jsonl"}]), records(3))
        assert wire.asked == []


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            {"outputs": [{"to": "jsonl", "path": ".haulier/d/ledger.db"}]},
            "is in the folder of ledgers and cred",
        ),
        (
            {"outputs": [{"to": "csv", "path": "haulier.yaml", "columns": ["id"]}]},
            "is the file that makes this",
        ),
        ({"save_body": "destinations"}, "save_body: destinations is the folder of destinations"),
    ],
)
def test_what_steers_a_run_is_written_by_none_and_check_says_so(
    folder: Path, written: dict[str, Any], told: str
) -> None:
    (folder / "haulier.yaml").write_text("version: 1\n")
    with Wire() as wire:
        (problem,) = haulier.check(destination(wire.url, **written)).problems
        assert told in problem
        with pytest.raises(haulier.ConfigurationError, match=told):
            send(destination(wire.url, **written), records(3))
        assert wire.asked == []
    assert (folder / "haulier.yaml").read_text() == "version: 1\n"


@pytest.mark.parametrize("path", ["in.jsonl", "sub/../in.jsonl", "state/d/out.jsonl"])
def test_a_run_writes_neither_to_its_input_nor_beside_its_ledger(folder: Path, path: str) -> None:
    (folder / "in.jsonl").write_text('{"id":"r:0","run":"r"}\n')
    with Wire() as wire:
        with pytest.raises(
            haulier.ConfigurationError, match=r"is the input of this run|of this destination's ledger"
        ):
            haulier.send(
                destination(wire.url, outputs=[{"to": "jsonl", "path": path}]), "in.jsonl", state="state"
            )
        assert wire.asked == []
    assert (folder / "in.jsonl").read_text() == '{"id":"r:0","run":"r"}\n'
    assert not (folder / "state/d/out.jsonl").exists()


def test_columns_of_one_record_are_warned_of_where_records_travel_together() -> None:
    columns = {"id": "key", "mag": "/record/mag", "state": "state", "first": "/records/0/mag"}
    written = {"outputs": [{"to": "csv", "path": "out.csv", "columns": columns}], "key": "id"}
    told = [
        haulier.check(destination("http://127.0.0.1:1", **written, **more)).warnings
        for more in ({}, {"batching": {"size": 4}})
    ]
    assert [[one for one in warnings if "columns" in one] for warnings in told] == [
        [],
        [
            "outputs csv: the line of a batch has `keys` and `records`, no `key` and `record`, so these columns stay "
            "empty for it: key, /record/mag; name places such as /keys/0 or /records/0/name"
        ],
    ]
