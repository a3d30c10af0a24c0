"""What no sitting ever sent is made anew where its records make another body now; what may have left is not."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.cli.running import COMMAND, Project, wait_for
from tests.core.runs.carrying import rows
from tests.core.runs.wire import Answer, Asked, Stall, Wire, answer
from tests.distributions import write_distribution
from tests.ports import free_port

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

# A grouping that anybody may have installed, and whose next version makes something else of the same records.
GROUPING = """
import os
from haulier.authoring import GroupingAlgorithm, Portion, RecordError, hookimpl

class Shape:
    def build(self, items):
        shape = os.environ["SHAPE"]
        if shape == "each":
            return tuple(Portion(payload=[item], carries=[at]) for at, item in enumerate(items))
        if shape == "none":
            raise RecordError("no shape for these")
        return list(items) if shape == "list" else {shape: list(items)}

class Shapes:
    @hookimpl
    def haulier_grouping_algorithms(self):
        return [GroupingAlgorithm(name="shape", title="Shape", description="As told.", factory=lambda _: Shape())]

import sys
import time
sys.modules[__name__] = Shapes()
"""
REST = "never sent: when the run went on, its records were planned anew, or rejected"
IN_DOUBT = (
    "its body is another one now, and the one before {}; a replay of what is in doubt sends it as it is now"
)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    (tmp_path / "destinations").mkdir()
    (tmp_path / "haulier.yaml").write_text("version: 1\n")
    write_distribution(tmp_path / "site", "haulier-shape", "[haulier]\nshape = haulier_shape\n")
    (tmp_path / "site" / "haulier_shape.py").write_text(GROUPING)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


def pictures(project: Project, count: int, more: str, url: str) -> None:
    """A destination whose records are pictures of a folder, each the whole body of a request."""
    (project.root / "pictures").mkdir()
    for number in range(count):
        picture(project, number, "first")
    lines = [json.dumps({"id": number, "file": f"{number}.png"}) + "\n" for number in range(count)]
    (project.root / "records.jsonl").write_text("".join(lines))
    project.destination(
        "d",
        f"request: {{method: POST, url: '{url}', content_format: bytes, attributes: none, "
        f"files: {{image: '{{record.file}}'}}}}\nfiles_root: pictures\n{more}",
    )


def picture(project: Project, number: int, version: str) -> None:
    (project.root / "pictures" / f"{number}.png").write_text(f"{version} {number}")


def first_sitting(
    project: Project,
    wire: Wire,
    *,
    ended_by: signal.Signals,
    asked: int,
    intended: int = 0,
    **environment: str,
) -> None:
    """Carry until so many requests have come and so many intents are in the ledger, then send the signal."""
    process = project.start("run", "d", *WORDS, **environment)
    wire.wait(asked)
    while intended and rows(project.root / ".haulier", "select count(*) from request") < [(intended,)]:
        time.sleep(0.005)
    process.send_signal(ended_by)
    _, told = process.communicate(timeout=60)
    assert b"Traceback" not in told
    assert process.returncode == (130 if ended_by == signal.SIGINT else -ended_by), told.decode()


def second_sitting(project: Project, **environment: str) -> Any:
    ended = project.run("run", "d", *WORDS, **environment)
    assert ended.out, ended.err
    found = {
        state: ended.json[state] for state in ("delivered", "rejected", "in_doubt", "pending", "sending")
    }
    return ended.code, {state: count for state, count in found.items() if count}


WORDS = ("--records", "records.jsonl", "--activate", "--json")
SLOWLY = "limits: {requests_per_second: 4, max_in_flight: 1}\n"
# Under `park` no intent is further ahead than what may be in flight.
ABREAST = "limits: {requests_per_second: 4, max_in_flight: 4}\nunanswered: park\n"


def never_left(project: Project) -> list[int]:
    """First positions of the requests that the stop put back before any attempt."""
    found = rows(
        project.root / ".haulier",
        "select first from request where (state, status, attempts) = (0, 0, 0) order by first",
    )
    return [first for (first,) in found]


@pytest.mark.parametrize(
    "more", [SLOWLY, ABREAST, f"{SLOWLY}order: strict\n"], ids=["resend", "park", "strict"]
)
def test_a_file_that_changed_before_it_was_ever_sent_is_sent_as_it_is_now(
    more: str, project: Project
) -> None:
    with Wire() as wire:
        pictures(project, 10, more, wire.url)
        first_sitting(project, wire, ended_by=signal.SIGINT, asked=3, intended=4)
        left = never_left(project)
        changed = left[0] if "strict" in more else left[1]  # in strict order one alone is in the ledger
        picture(project, changed, "second")
        assert second_sitting(project) == (0, {"delivered": 10})
        wanted = [f"{'second' if number == changed else 'first'} {number}".encode() for number in range(10)]
        assert sorted(wire.bodies, key=number_in) == wanted
        assert wire.bodies == wanted or more is ABREAST  # one in flight leaves in order
        keys = [asked.header("idempotency-key") for asked in wire.asked]
        assert len({*keys}) == 10
    state = project.root / ".haulier"
    apart = [at for at in left if at >= changed]
    assert rows(state, "select first, count, state, attempts, reason from request where count = 0") == [
        (at, 0, 4, 0, REST) for at in apart
    ]
    kept = rows(state, "select first, key, state, attempts from request where count > 0 order by first")
    assert sorted(kept) == sorted((number, key, 2, 1) for number, key in enumerate(by_body(wire)))


def number_in(body: bytes) -> int:
    """Which picture it is."""
    return int(body.split()[-1])


def by_body(wire: Wire) -> list[str | None]:
    """The keys of requests by the number at the end of their body."""
    asked = sorted(wire.asked, key=lambda asked: number_in(asked.body))
    return [one.header("idempotency-key") for one in asked]


def test_a_file_that_went_away_before_it_was_ever_sent_rejects_its_record(project: Project) -> None:
    with Wire() as wire:
        pictures(project, 8, SLOWLY, wire.url)
        first_sitting(project, wire, ended_by=signal.SIGINT, asked=2)
        gone = never_left(project)[-1]
        (project.root / "pictures" / f"{gone}.png").unlink()
        assert second_sitting(project) == (4, {"delivered": 7, "rejected": 1})
        assert sorted(wire.bodies) == [f"first {number}".encode() for number in range(8) if number != gone]


@pytest.mark.parametrize(
    ("shape", "bodies"),
    [
        ("other", [{"other": [{"id": at}, {"id": at + 1}]} for at in range(0, 40, 2)]),
        ("each", [[{"id": at}] for at in range(40)]),
        ("none", []),
    ],
)
def test_a_grouping_that_makes_something_else_now_is_sent_as_it_is_now(
    shape: str, bodies: list[Any], project: Project
) -> None:
    """Also where the records of one request make several, or none, by now."""
    site = str(project.root / "site")
    with Wire() as wire:
        project.post("d", wire.url, f"batching: {{size: 2, grouping: shape}}\n{SLOWLY}")
        lines = "".join(f'{{"id":{number}}}\n' for number in range(40))
        (project.root / "records.jsonl").write_text(lines)
        first_sitting(project, wire, ended_by=signal.SIGINT, asked=3, PYTHONPATH=site, SHAPE="list")
        before = [json.loads(body) for body in wire.bodies]
        assert [one[0]["id"] for one in before] == [2 * at for at in range(len(before))]
        project.destination("d", faster(project))
        sent = 2 * len(before)
        code, counts = second_sitting(project, PYTHONPATH=site, SHAPE=shape)
        after = [json.loads(body) for body in wire.bodies[len(before) :]]
    assert sorted(after, key=json.dumps) == sorted(
        [body for body in bodies if (body if shape == "each" else body["other"])[0]["id"] >= sent],
        key=json.dumps,
    )
    if shape == "none":
        assert (code, counts) == (4, {"delivered": sent, "rejected": 40 - sent})
    else:
        assert (code, counts) == (0, {"delivered": 40})


def faster(project: Project) -> str:
    return (project.root / "destinations" / "d.yaml").read_text().replace("requests_per_second: 4, ", "")


def test_after_a_kill_what_may_be_on_its_way_is_in_doubt_where_its_body_is_another_now(
    project: Project,
) -> None:
    """What its intent says may have left, though the server has none of it."""
    with Wire(lambda asked: Stall(60) if asked.number == 2 else answer()) as wire:
        pictures(project, 6, SLOWLY, wire.url)
        first_sitting(project, wire, ended_by=signal.SIGKILL, asked=3)
        state = project.root / ".haulier"
        left = [at for (at,) in rows(state, "select first from request where state = 1 order by first")]
        assert left == [2, 3, 4, 5]
        picture(project, 2, "second")
        picture(project, 5, "second")
        wire.reply = lambda _: answer()
        assert second_sitting(project) == (5, {"delivered": 4, "in_doubt": 2})
        assert wire.bodies == [b"first %d" % at for at in (0, 1, 2, 3, 4)]
    reason = IN_DOUBT.format("may have arrived")
    assert rows(state, "select position, reason from record order by position") == [(2, reason), (5, reason)]


def test_what_was_tried_is_in_doubt_where_its_body_is_another_now(project: Project) -> None:
    """Refused, put back by the stop: the ledger has an attempt of it."""
    with Wire(lambda asked: answer(401) if asked.number == 2 else answer()) as wire:
        pictures(project, 6, SLOWLY, wire.url)
        assert project.run("run", "d", *WORDS).code == 3
        for number in range(2, 6):
            picture(project, number, "second")
        assert second_sitting(project) == (5, {"delivered": 5, "in_doubt": 1})
        assert wire.bodies[3:] == [f"second {number}".encode() for number in (3, 4, 5)]
    state = project.root / ".haulier"
    assert rows(state, "select position, reason from record") == [(2, IN_DOUBT.format("was tried"))]


def test_a_kill_after_requests_were_made_anew_keeps_to_the_new_ones(project: Project) -> None:
    """A new intent is durable before it leaves, and goes out again with the same bytes and key."""

    def reply(asked: Asked) -> Answer:
        return Stall(60) if asked.body == b"second 4" and not released else answer()

    released: list[bool] = []
    with Wire(reply) as wire:
        pictures(project, 8, SLOWLY, wire.url)
        first_sitting(project, wire, ended_by=signal.SIGINT, asked=2)
        assert {4, 7} <= {*never_left(project)}
        picture(project, 4, "second")
        process = project.start("run", "d", *WORDS)
        wait_for(lambda: b"second 4" in wire.bodies)
        process.send_signal(signal.SIGKILL)
        process.wait()
        state = project.root / ".haulier"
        (intent,) = rows(state, "select state, key, attempts from request where first = 4 and count > 0")
        asked = wire.asked[-1]
        assert (asked.body, intent) == (b"second 4", (1, asked.header("idempotency-key"), 0))
        released.append(True)
        picture(project, 7, "third")  # of this one the ledger says that it may have left, by now
        assert second_sitting(project) == (5, {"delivered": 7, "in_doubt": 1})
        assert wire.bodies.count(b"second 4") == 2
        assert len({one.header("idempotency-key") for one in wire.asked if one.body == b"second 4"}) == 1
        once = [body for body in wire.bodies if body != b"second 4"]
        assert sorted(once) == [f"first {number}".encode() for number in (0, 1, 2, 3, 5, 6)]


def test_what_a_crash_found_on_its_way_may_have_left_also_after_a_clean_stop(project: Project) -> None:
    """The stop makes no attempt of it either, and knows nothing of those before the crash."""
    with Wire() as wire:
        pictures(project, 8, SLOWLY, wire.url)
        first_sitting(project, wire, ended_by=signal.SIGKILL, asked=2)
        first_sitting(project, wire, ended_by=signal.SIGINT, asked=4)
        state = project.root / ".haulier"
        assert rows(state, "select state, status, attempts from request where first = 7") == [(0, None, 0)]
        picture(project, 7, "second")
        assert second_sitting(project) == (5, {"delivered": 7, "in_doubt": 1})
        assert {*wire.bodies} == {b"first %d" % number for number in range(7)}
    assert rows(state, "select position, reason from record") == [(7, IN_DOUBT.format("may have arrived"))]


def test_what_was_read_of_standard_input_is_made_anew_from_what_was_kept_of_it(project: Project) -> None:
    words = ("run", "d", "--records", "-", "--format", "jsonl", "--run-key", "k", "--activate", "--json")
    with Wire() as wire:
        pictures(project, 8, SLOWLY, wire.url)
        with (project.root / "records.jsonl").open("rb") as records:
            process = subprocess.Popen(
                [*COMMAND, *words], cwd=project.root, stdin=records, env=project.environment()
            )
        project.started.append(process)
        wire.wait(2)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        changed = never_left(project)[-1]
        picture(project, changed, "second")
        again = project.start(*words)  # nothing is piped in
        report = json.loads(again.communicate(timeout=60)[0])
        assert (again.returncode, report["delivered"], report["in_doubt"]) == (0, 8, 0)
        wanted = ["first", "second"]
        assert wire.bodies == [f"{wanted[number == changed]} {number}".encode() for number in range(8)]


QUICKLY = "retry: {attempts: 3, base_s: 0.01, cap_s: 0.02}\nlimits: {max_in_flight: 1}\n"


def tried_in_vain(project: Project) -> list[tuple[int, ...]]:
    """First position and attempts of the requests that were tried, and of which no byte left."""
    return rows(
        project.root / ".haulier",
        "select first, attempts from request where (state, status) = (0, 0) and attempts > 0 order by first",
    )


@pytest.mark.parametrize(
    "more", ["", "unanswered: park\n", "transport: http1\n", "transport: httpx\n"], ids=str.strip
)
def test_what_only_ever_failed_to_connect_is_sent_as_it_is_now(more: str, project: Project) -> None:
    """However often, and in however many sittings, it was tried."""
    port = free_port()
    pictures(project, 3, QUICKLY + more, f"http://127.0.0.1:{port}")
    for sitting in (1, 2):
        stopped = project.run("run", "d", *WORDS)
        assert stopped.code == 3, stopped.err
        assert tried_in_vain(project)[0][1] >= 3 * sitting
    picture(project, 0, "second")
    picture(project, 2, "second")
    with Wire(at=port) as wire:
        assert second_sitting(project) == (0, {"delivered": 3})
        assert sorted(wire.bodies) == [b"first 1", b"second 0", b"second 2"]


def test_what_only_ever_failed_in_a_handshake_is_sent_as_it_is_now(project: Project) -> None:
    authority = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    authority.cert_pem.write_to_path(str(project.root / "authority.pem"))
    with Wire(tls=served) as wire:
        pictures(project, 2, QUICKLY, wire.url)
        assert project.run("run", "d", *WORDS).code == 3
        assert tried_in_vain(project)[0][0] == 0
        picture(project, 0, "second")
        trusted = str(project.root / "authority.pem")
        assert second_sitting(project, SSL_CERT_FILE=trusted) == (0, {"delivered": 2})
        assert sorted(wire.bodies) == [b"first 1", b"second 0"]


def test_what_was_answered_before_nobody_could_be_reached_any_more_was_tried(project: Project) -> None:
    port = free_port()
    pictures(project, 2, QUICKLY, f"http://127.0.0.1:{port}")
    with Wire(lambda _: answer(429, Retry_After="2"), at=port) as wire:
        process = project.start("run", "d", *WORDS)
        wire.wait(1)
    process.communicate(timeout=60)
    assert process.returncode == 3
    picture(project, 0, "second")
    picture(project, 1, "second")
    with Wire(at=port) as wire:
        assert second_sitting(project) == (5, {"delivered": 1, "in_doubt": 1})
        assert wire.bodies == [b"second 1"]
    state = project.root / ".haulier"
    assert rows(state, "select position, reason from record") == [(0, IN_DOUBT.format("was tried"))]


def test_a_kill_during_an_attempt_leaves_doubt_though_all_before_failed_to_connect(project: Project) -> None:
    port = free_port()
    pictures(project, 1, QUICKLY, f"http://127.0.0.1:{port}")
    assert project.run("run", "d", *WORDS).code == 3
    assert tried_in_vain(project)[0][0] == 0
    with Wire(lambda _: Stall(60), at=port) as wire:
        first_sitting(project, wire, ended_by=signal.SIGKILL, asked=1)
        picture(project, 0, "second")
        assert second_sitting(project) == (5, {"in_doubt": 1})
        assert wire.bodies == [b"first 0"]
    state = project.root / ".haulier"
    assert rows(state, "select position, reason from record") == [(0, IN_DOUBT.format("may have arrived"))]
