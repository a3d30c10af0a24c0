"""A plugin that was upgraded between two sittings: what it brings to requests is held against what it brought."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.cli.running import Project, Result, wait_for
from tests.core.runs.carrying import rows
from tests.core.runs.wire import Answer, Asked, Stall, Wire, answer
from tests.distributions import write_distribution

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

PLUGIN = """
from datetime import date
import msgspec
from haulier.authoring import (
    Body, Connector, ContentEncoder, EndpointTemplate, GroupingAlgorithm, Parameter, Portion,
    Settings, hookimpl
)

class Lines:
    def __init__(self, settings):
        pass
    def build(self, items):
        return ORDERED

class LineSettings(Settings):
    SETTINGS

def encode(payload, settings):
    return Body(parts=(b"".join(msgspec.json.encode(one) + b"END" for one in payload),), media_type="text/plain")

@hookimpl
def haulier_connectors():
    return [Connector(name="depot", title="Depot", description="Keeps things.")]

@hookimpl
def haulier_endpoint_templates():
    return [EndpointTemplate(
        connector="depot", name="put", title="TITLE", description="Puts things.", method="POST", path="/PLACE/{hall}",
        parameters=(Parameter(name="hall", place="path", description="Which.", required=True, example="a"),),
        attributes="body", content_formats=("marked",), batch="container",
        batching={"size": SIZE, "grouping": "stack"}, verdicts={VERDICT: "rejected"}, verified=True,
        source="https://depot.example", read_on=date(2026, 11, 22),
    )]

@hookimpl
def haulier_content_encoders():
    return [ContentEncoder(name="marked", title="Marked", description="Marked.", media_type="text/plain",
        encode=encode, carries_batches=True, needs="opaque")]

@hookimpl
def haulier_grouping_algorithms():
    return [GroupingAlgorithm(name="stack", title="Stack", description="A list.", factory=Lines,
        settings=LineSettings)]
"""
AS_IT_WAS = {
    "END": "\\n",
    "ORDERED": "list(items)",
    "PLACE": "things",
    "SIZE": "2",
    "SETTINGS": "pass",
    "TITLE": "Put",
    "VERDICT": "500",
}
WORDS = ("--records", "records.jsonl", "--activate", "--json")
DESTINATION = "connector: depot\nendpoint: put\nparams: {{hall: a}}\nbase_url: '{}'\n"
SLOWLY = "limits: {{requests_per_second: 4, max_in_flight: 1}}\n"


class Installed:
    """A project with the plugin of a stranger, whom nothing keeps from changing it."""

    def __init__(self, root: Path) -> None:
        self.project = Project(root)
        (root / "destinations").mkdir()
        (root / "haulier.yaml").write_text("version: 1\n")
        lines = "".join(f'{{"id":{number}}}\n' for number in range(20))
        (root / "records.jsonl").write_text(lines)
        self.site = root / "site"
        self.site.mkdir()
        self.install("1.0")

    def install(self, version: str, **changes: str) -> None:
        """Have this version of the plugin, the first one but for the changes."""
        for folder in self.site.glob("*.dist-info"):
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        write_distribution(self.site, "haulier-depot", "[haulier]\ndepot = haulier_depot\n", version=version)
        source = PLUGIN
        for name, text in {**AS_IT_WAS, **changes}.items():
            source = source.replace(name, text)
        (self.site / "haulier_depot.py").write_text(source)

    @property
    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.site), "PYTHONDONTWRITEBYTECODE": "1"}

    def begin(self, wire: Wire, *, asked: int = 2, destination: str = DESTINATION + SLOWLY) -> None:
        """Carry until so many requests have come, and kill it."""
        self.project.destination("d", destination.format(wire.url))
        process = self.project.start("run", "d", *WORDS, **self.environment)
        wait_for(lambda: len(wire.asked) >= asked or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        _, told = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, told.decode()
        self.project.destination("d", destination.removesuffix(SLOWLY).format(wire.url))

    def run(self, *more: str) -> Result:
        return self.project.run("run", "d", *WORDS, *more, **self.environment)

    @property
    def under_way(self) -> tuple[int, int]:
        """Records and requests that may have gone out, as the ledger has them."""
        statement = "select coalesce(sum(count), 0), count(*) from request where state = 1"
        ((records, requests),) = rows(self.project.root / ".haulier", statement)
        return int(records), int(requests)

    @property
    def run_id(self) -> str:
        ((run_id,),) = rows(self.project.root / ".haulier", "select run_id from run")
        return str(run_id)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    made = Installed(tmp_path)
    yield made
    for process in made.project.started:
        process.kill()
        process.communicate()


def carried(ended: Result) -> tuple[int, dict[str, int]]:
    """The exit code, and the states that are not empty."""
    assert ended.out, ended.err
    names = ("delivered", "rejected", "in_doubt", "pending", "sending")
    return ended.code, {name: ended.json[name] for name in names if ended.json[name]}


@pytest.mark.parametrize(
    ("version", "change", "told", "who"),
    [
        ("1.1", {"PLACE": "other"}, 'template.path: "/things/{hall}" -> "/other/{hall}"', "(1.1 now)"),
        (
            "1.0",
            {"PLACE": "other"},
            'template.path: "/things/{hall}" -> "/other/{hall}"',
            "(its code is another now)",
        ),
        ("2.0", {"SIZE": "3"}, "template.batching.size: 2 -> 3", "(2.0 now)"),
    ],
)
def test_a_template_that_makes_other_requests_does_not_go_on_silently(
    version: str, change: dict[str, str], told: str, who: str, installed: Installed
) -> None:
    with Wire() as wire:
        installed.begin(wire)
        asked = len(wire.asked)
        installed.install(version, **change)
        ended = installed.run()
        assert (ended.code, len(wire.asked)) == (2, asked)
        assert ended.err.endswith(
            f"run {installed.run_id} of this input is unfinished and was begun with other settings: {told}. It was "
            f"begun with plugin depot of haulier-depot 1.0 {who}: reinstall that and put them back to go on with it, "
            "or begin a run of its own with another --run-key (run_key=)\n"
        ), ended.err
        installed.install("1.0")
        assert carried(installed.run()) == (0, {"delivered": 20})
        assert {one.target for one in wire.asked} == {"/things/a"}


def test_an_upgrade_that_asks_for_another_setting_names_the_way_back(installed: Installed) -> None:
    """Neither without the setting nor with it does the new version go on."""
    with Wire() as wire:
        installed.begin(wire)
        asked = len(wire.asked)
        installed.install("1.1", SETTINGS="mode: str")
        assert installed.run().code == 2
        destination = DESTINATION.format(wire.url)
        installed.project.destination("d", f"{destination}batching: {{grouping: {{name: stack, mode: x}}}}\n")
        ended = installed.run()
        assert (ended.code, len(wire.asked)) == (2, asked)
        assert "was begun with plugin depot of haulier-depot 1.0 (1.1 now): reinstall that" in ended.err
        installed.project.destination("d", destination)
        installed.install("1.0")
        assert carried(installed.run()) == (0, {"delivered": 20})


def test_an_upgrade_that_changes_no_request_goes_on(installed: Installed) -> None:
    """Words for people, and how answers are read, which a destination may change, too."""
    with Wire() as wire:
        installed.begin(wire)
        installed.install("1.1", TITLE="Puts", VERDICT="404")
        assert carried(installed.run()) == (0, {"delivered": 20})


def test_an_upgrade_makes_no_finished_run_another_one(installed: Installed) -> None:
    with Wire() as wire:
        installed.project.destination("d", DESTINATION.format(wire.url))
        assert carried(installed.run()) == (0, {"delivered": 20})
        asked = len(wire.asked)
        installed.install("2.0", PLACE="other")
        ended = installed.run()
        assert (ended.json["repeated"], len(wire.asked)) == (True, asked)


def test_a_run_that_an_earlier_version_of_haulier_began_goes_on(installed: Installed) -> None:
    """It kept nothing of templates and plugins."""
    with Wire() as wire:
        installed.begin(wire)
        ledger = installed.project.root / ".haulier" / "d" / "ledger.db"
        with closing(sqlite3.connect(ledger)) as db, db:
            ((settings,),) = db.execute("select settings from run").fetchall()
            kept: dict[str, Any] = json.loads(settings)
            del kept["template"], kept["plugins"]
            db.execute("update run set settings = ?", (json.dumps(kept),))
        assert carried(installed.run()) == (0, {"delivered": 20})


CHANGES = {
    "encoder": {"END": ";"},
    "grouping": {"ORDERED": "list(items)[::-1]"},
    "split": {"ORDERED": "tuple(Portion(payload=[one], carries=[at]) for at, one in enumerate(items))"},
}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_plugin_that_makes_other_bodies_puts_nothing_in_doubt_without_being_told_to(
    change: str, version: str, installed: Installed
) -> None:
    """Also where its version is the same, and only its code another."""
    with Wire() as wire:
        installed.begin(wire)
        asked, (records, requests) = len(wire.asked), installed.under_way
        assert requests > 2
        installed.install(version, **CHANGES[change])
        ended = installed.run()
        assert (ended.code, len(wire.asked), installed.under_way) == (2, asked, (records, requests))
        who = "1.1 now" if version == "1.1" else "its code is another now"
        assert ended.err.endswith(
            f"run {installed.run_id} of this input is unfinished, and other bodies come now of {records} records in "
            f"{requests} requests that may have gone out; it was begun with plugin depot of haulier-depot 1.0 ({who}). "
            "Nothing was sent. Reinstall that to go on with the same bytes, or say --leave-in-doubt "
            "(leave_in_doubt=True): these records are in doubt then, and the rest goes on. The ledger has "
            "a request some windows before it leaves, so only the service knows how many of them had left\n"
        ), ended.err
        installed.install("1.0")
        assert carried(installed.run()) == (0, {"delivered": 20})
        assert {*wire.bodies} == {b'{"id":%d}\n{"id":%d}\n' % (first, first + 1) for first in range(0, 20, 2)}


def test_who_says_so_goes_on_with_what_may_have_gone_out_in_doubt(installed: Installed) -> None:
    with Wire() as wire:
        installed.begin(wire)
        asked, (records, _) = len(wire.asked), installed.under_way
        installed.install("1.1", END=";")
        ended = installed.run("--leave-in-doubt")
        assert carried(ended) == (5, {"delivered": 20 - records, "in_doubt": records})
        assert {body[-1:] for body in wire.bodies[asked:]} <= {b";"}


def test_python_says_so_by_an_argument(installed: Installed) -> None:
    program = "import haulier; print(haulier.send('d', 'records.jsonl', leave_in_doubt=True).in_doubt)"
    with Wire() as wire:
        installed.begin(wire)
        records, _ = installed.under_way
        installed.install("1.1", END=";")
        environment = installed.project.environment(**installed.environment)
        words = [sys.executable, "-c", program]
        told = subprocess.run(
            words, cwd=installed.project.root, env=environment, capture_output=True, timeout=60, check=True
        )
        assert told.stdout == b"%d\n" % records


def test_a_plugin_that_was_replaced_and_makes_the_same_bodies_goes_on(installed: Installed) -> None:
    with Wire() as wire:
        installed.begin(wire)
        installed.install("1.1", ORDERED="[*items]")
        assert carried(installed.run()) == (0, {"delivered": 20})


CHAIN = """
stages:
  - {{name: first, request: {{method: POST, url: '{0}/first'}}}}
  - {{name: second, connector: depot, endpoint: put, params: {{hall: a}}, base_url: '{0}'}}
limits: {{max_in_flight: 1}}
"""


@pytest.mark.parametrize("answered", [0, 4])
def test_the_template_of_a_later_stage_may_change_until_something_of_that_may_have_gone_out(
    answered: int, installed: Installed
) -> None:
    """answered: requests of both stages until the service is silent."""
    ended: list[bool] = []

    def reply(asked: Asked) -> Answer:
        return answer() if ended or asked.number < answered else Stall(60)

    with Wire(reply) as wire:
        installed.begin(wire, asked=answered + 1, destination=CHAIN)
        ended.append(True)
        installed.install("2.0", PLACE="other")
        result = installed.run()
        if answered:
            assert result.code == 2
            assert 'template.second.path: "/things/{hall}" -> "/other/{hall}"' in result.err
            return
        assert carried(result) == (0, {"delivered": 40})
        assert {asked.target for asked in wire.asked} == {"/first", "/other/a"}
