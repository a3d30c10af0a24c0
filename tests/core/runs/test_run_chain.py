"""Several stages in one run, over real sockets: what goes on, in which order, what is told, and what a replay does."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import QUICK, counts, records, rows, within
from tests.core.runs.wire import Asked, Stall, Wire, answer

import haulier
from haulier.errors import ConfigurationError, CredentialError, DestinationError
from haulier.io.ledger.store import Ledger, LedgerView
from haulier.runs.reports.report import report_of

UPLOAD_ID = "{record.upload.result.upload_id}"


def stage(wire: Wire, name: str, method: str = "POST", path: str = "", **written: Any) -> dict[str, Any]:
    return {"name": name, "request": {"method": method, "url": wire.url + (path or f"/{name}")}, **written}


def pictures(wire: Wire, *stages: dict[str, Any], **written: Any) -> dict[str, Any]:
    """upload -> tag -> delete, as a person would write it."""
    own = stages or (
        stage(wire, "upload"),
        stage(wire, "tag", path=f"/tag/{UPLOAD_ID}", exclude=["upload"]),
        stage(wire, "delete", "DELETE", f"/delete/{UPLOAD_ID}", after="settled"),
    )
    return {"name": "d", "key": "id", "retry": QUICK, "stages": list(own), **written}


def uploads(asked: Asked) -> bytes:
    """An answer with an upload id made of the record's own."""
    return answer(body=json.dumps({"result": {"upload_id": f"u{json.loads(asked.body)['id']}"}}).encode())


def service(asked: Asked) -> bytes:
    return uploads(asked) if asked.target == "/upload" else answer(body=b'{"ok":1}')


def send(destination: dict[str, Any], carried: Any, **more: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(destination, carried, state="state", **more))


def by_stage(report: haulier.Report) -> dict[str, dict[str, int]]:
    """The states of each stage that are not empty; fails where they do not add up to what was read."""
    found = {}
    for one in report.stages:
        states = {
            name: getattr(one, name)
            for name in ("pending", "sending", "delivered", "accepted", "rejected", "in_doubt")
        }
        assert sum(states.values()) == one.read
        found[one.name] = {name: count for name, count in states.items() if count}
    return found


def lines(path: str = "out.jsonl") -> list[dict[str, Any]]:
    return sorted(
        (json.loads(line) for line in Path(path).read_text().splitlines()), key=lambda line: line["positions"]
    )


# -- what goes on ----------------------------------------------------------------------------------------------------


def test_with_one_in_flight_each_record_goes_through_all_stages_before_the_next_begins() -> None:
    with Wire(service) as wire:
        report = send(pictures(wire, limits={"max_in_flight": 1}), records(4))
        assert [asked.target for asked in wire.asked] == [
            target for number in range(4) for target in ("/upload", f"/tag/u{number}", f"/delete/u{number}")
        ]
        assert [asked.body for asked in wire.asked][:3] == [b'{"id":0}', b'{"id":0}', b""]
    assert by_stage(report) == {name: {"delivered": 4} for name in ("upload", "tag", "delete")}
    assert (report.state, report.read, counts(report), report.attempts) == (
        "finished",
        12,
        {"delivered": 12},
        12,
    )
    assert report.exit_code == 0


def test_stages_share_the_limit_of_requests_in_flight() -> None:
    with Wire(service, delay_s=0.02) as wire:
        under_way = most = 0

        def counted(asked: Asked) -> bytes:
            return service(asked)

        wire.reply = counted
        report = send(pictures(wire, limits={"max_in_flight": 3}), records(30))
        # Connections are kept and reused: more of them than may be in flight were never needed by one stage.
        assert report.ok
        ends = [(asked.at, 1) for asked in wire.asked] + [(asked.at + 0.02, -1) for asked in wire.asked]
        for _, change in sorted(ends):
            under_way += change
            most = max(most, under_way)
    assert most <= 3


def test_a_record_that_a_stage_rejected_is_cleaned_up_and_told_with_the_stage_that_failed() -> None:
    def reply(asked: Asked) -> bytes:
        return answer(400, b'{"why":"blurred"}') if asked.target == "/tag/u2" else service(asked)

    with Wire(reply) as wire:
        outputs = [{"to": "jsonl", "path": "out.jsonl", "answer": True}]
        report = send(pictures(wire, outputs=outputs), records(4))
        assert Counter(asked.target.split("/")[1] for asked in wire.asked) == {
            "upload": 4,
            "tag": 4,
            "delete": 4,
        }
    assert by_stage(report) == {
        "upload": {"delivered": 4},
        "tag": {"delivered": 3, "rejected": 1},
        "delete": {"delivered": 4},
    }
    assert report.exit_code == 4
    told = lines()
    assert [(line["key"], line["stage"], line["state"], line["status"]) for line in told] == [
        (0, "delete", "delivered", 200),
        (1, "delete", "delivered", 200),
        (2, "tag", "rejected", 400),
        (3, "delete", "delivered", 200),
    ]
    assert "blurred" in told[2]["reason"]
    assert told[2]["record"] == {"id": 2}
    assert told[2]["answers"] == {"upload": {"result": {"upload_id": "u2"}}, "delete": {"ok": 1}}
    assert told[3]["answers"] == {
        "upload": {"result": {"upload_id": "u3"}},
        "tag": {"ok": 1},
        "delete": {"ok": 1},
    }
    assert len({line["id"] for line in told}) == 4


def test_only_what_was_delivered_goes_on_unless_a_stage_cleans_up() -> None:
    def reply(asked: Asked) -> bytes:
        if asked.target == "/upload" and json.loads(asked.body)["id"] == 1:
            return answer(400)
        return answer(400) if asked.target == "/tag/u2" else service(asked)

    with Wire(reply) as wire:
        stages = (
            stage(wire, "upload"),
            stage(wire, "tag", path=f"/tag/{UPLOAD_ID}"),
            stage(wire, "colour", path=f"/colour/{UPLOAD_ID}"),
            stage(wire, "delete", "DELETE", f"/delete/{UPLOAD_ID}", after="settled"),
            stage(wire, "notify", path=f"/notify/{UPLOAD_ID}"),
        )
        report = send(pictures(wire, *stages), records(4))
        seen = {asked.target for asked in wire.asked}
    assert by_stage(report) == {
        "upload": {"delivered": 3, "rejected": 1},
        "tag": {"delivered": 2, "rejected": 1},
        "colour": {"delivered": 2},
        "delete": {"delivered": 3},
        "notify": {"delivered": 2},
    }
    assert {"/delete/u2"} <= seen
    assert not {"/colour/u2", "/notify/u2", "/delete/u1"} & seen


def test_what_is_in_doubt_is_not_cleaned_up_as_the_service_may_be_at_work_with_it() -> None:
    def reply(asked: Asked) -> bytes | Stall:
        return Stall(0) if asked.target == "/tag/u1" else service(asked)

    with Wire(reply) as wire:
        report = send(pictures(wire, unanswered="park"), records(3))
        assert "/delete/u1" not in {asked.target for asked in wire.asked}
    assert by_stage(report) == {
        "upload": {"delivered": 3},
        "tag": {"delivered": 2, "in_doubt": 1},
        "delete": {"delivered": 2},
    }


def test_an_answer_with_a_list_makes_one_record_of_each_element() -> None:
    def reply(asked: Asked) -> bytes:
        if asked.target == "/faces":
            number = json.loads(asked.body)["id"]
            faces = [{"face_id": f"{number}-{at}", "confidence": 0.50} for at in range(number)]
            return answer(body=json.dumps({"result": {"faces": faces}}).encode())
        return answer()

    with Wire(reply) as wire:
        stages = (
            stage(wire, "faces"),
            stage(wire, "save", path="/save/{record.faces.face_id}", each="/result/faces"),
        )
        outputs = [{"to": "jsonl", "path": "out.jsonl"}]
        report = send(pictures(wire, *stages, outputs=outputs), records(4))
        saved = sorted(asked.target for asked in wire.asked if asked.target.startswith("/save"))
        bodies = [json.loads(asked.body) for asked in wire.asked if asked.target == "/save/3-1"]
    assert saved == [f"/save/{number}-{at}" for number in range(4) for at in range(number)]
    assert bodies == [{"id": 3, "faces": {"face_id": "3-1", "confidence": 0.5}}]
    assert by_stage(report) == {"faces": {"delivered": 4}, "save": {"delivered": 6}}
    told = sorted(
        (line["positions"], line.get("places"), line["stage"], line["state"]) for line in lines()[1:]
    )
    assert lines()[0]["stage"] == "faces"  # its answer had no elements: it ended there
    assert told == [([number], [at], "save", "delivered") for number in range(1, 4) for at in range(number)]


def test_an_answer_without_the_list_is_a_dead_letter_of_the_next_stage() -> None:
    def reply(asked: Asked) -> bytes:
        found = asked.target == "/faces" and json.loads(asked.body)["id"]
        return answer(body=b'{"result":{"faces":[{}]}}') if found else service(asked)

    with Wire(reply) as wire:
        stages = (stage(wire, "faces"), stage(wire, "save", each="/result/faces"))
        report = send(pictures(wire, *stages), records(2))
    assert by_stage(report) == {"faces": {"delivered": 2}, "save": {"delivered": 1, "rejected": 1}}
    kept = rows(Path("state"), "select reason, cast(text as text) from record")
    assert len(kept) == 1
    assert "stage `faces` answered without a list at /result/faces" in kept[0][0]
    assert json.loads(kept[0][1]) == {"id": 0, "faces": {"ok": 1}}


def test_of_a_batch_each_record_gets_the_item_that_spoke_of_it() -> None:
    def reply(asked: Asked) -> bytes:
        if asked.target != "/make":
            return answer()
        made = [{"id": one["id"], "made": f"m{one['id']}", "status": 201} for one in json.loads(asked.body)]
        return answer(body=json.dumps({"results": made[::-1]}).encode())

    with Wire(reply) as wire:
        mapping = {"by": "key", "at": "/results", "key": "/id", "status": "/status"}
        stages = (
            stage(wire, "make", batching={"size": 5}, outcomes=mapping),
            stage(wire, "use", path="/use/{record.make.made}", exclude=["make"]),
        )
        report = send(pictures(wire, *stages), records(10))
        used = {asked.target: json.loads(asked.body) for asked in wire.asked if asked.target != "/make"}
    assert by_stage(report) == {"make": {"delivered": 10}, "use": {"delivered": 10}}
    assert used == {f"/use/m{number}": {"id": number} for number in range(10)}


def test_a_later_stage_may_batch_what_comes_one_by_one() -> None:
    with Wire(service) as wire:
        stages = (stage(wire, "upload"), stage(wire, "index", batching={"size": 4}))
        report = send(pictures(wire, *stages, limits={"max_in_flight": 1}), records(10))
        sizes = [len(json.loads(asked.body)) for asked in wire.asked if asked.target == "/index"]
    assert by_stage(report) == {"upload": {"delivered": 10}, "index": {"delivered": 10}}
    assert sizes == [4, 4, 2]


def test_numbers_and_texts_of_record_and_answer_arrive_as_they_were() -> None:
    record = b'{"id":0,"big":12345678901234567890123,"half":1.50,"text":"\\u00e9"}'
    said = b'{\n "n": 12345678901234567890123,\n "f": 1.10\n}'
    with Wire(lambda asked: answer(body=said)) as wire:
        report = send(pictures(wire, stage(wire, "one"), stage(wire, "two")), [record])
        assert report.ok
        body = wire.asked[1].body
    assert body == record[:-1] + b',"one":{"n":12345678901234567890123,"f":1.10}}'


def test_a_stage_at_a_slow_server_holds_the_earlier_ones_at_another_back() -> None:
    with Wire(service) as fast, Wire(delay_s=0.05) as slow:
        most = 0

        def counted(asked: Asked) -> bytes:
            nonlocal most
            most = max(most, len(fast.asked) - len(slow.asked))
            return answer()

        slow.reply = counted
        stages = (
            stage(fast, "upload"),
            stage(slow, "tag", path=f"/tag/{UPLOAD_ID}", limits={"max_in_flight": 2}),
        )
        report = send(pictures(fast, *stages), records(60))
    assert by_stage(report) == {"upload": {"delivered": 60}, "tag": {"delivered": 60}}
    assert most < 40


def test_of_limits_that_stages_share_the_strictest_holds() -> None:
    with Wire(service) as wire:
        stages = (
            stage(wire, "upload", limits={"requests_per_second": 1000}),
            stage(wire, "tag", path=f"/tag/{UPLOAD_ID}", limits={"requests_per_second": 25}),
        )
        assert send(pictures(wire, *stages), records(10)).ok
        times = sorted(asked.at for asked in wire.asked)
    assert len(times) == 20
    # 9 / 25 if each had its own; the first request, which connects, may take long to arrive.
    assert times[-1] - times[0] >= 15 / 25


def test_memory_of_what_is_under_way_is_bounded_by_what_the_ledger_keeps() -> None:
    """However many records an answer makes, the next stage has a few of them at a time."""

    def reply(asked: Asked) -> bytes:
        if asked.target == "/faces":
            return answer(body=json.dumps({"faces": [{"n": n} for n in range(3000)]}).encode())
        return answer()

    with Wire(reply) as wire:
        stages = (
            stage(wire, "faces"),
            stage(wire, "save", each="/faces", batching={"size": 50}, limits={"max_in_flight": 1}),
        )
        report = send(pictures(wire, *stages), records(2))
        saved = [one for asked in wire.asked if asked.target == "/save" for one in json.loads(asked.body)]
    assert by_stage(report) == {"faces": {"delivered": 2}, "save": {"delivered": 6000}}
    assert sorted((one["id"], one["faces"]["n"]) for one in saved) == [
        (record, n) for record in range(2) for n in range(3000)
    ]


# -- what is refused -------------------------------------------------------------------------------------------------


def test_a_record_with_an_attribute_named_as_a_stage_is_refused_before_anything_is_sent() -> None:
    with Wire(service) as wire:
        report = send(pictures(wire), [{"id": 0}, {"id": 1, "tag": "mine"}, {"id": 2, "note": "tag"}])
        assert Counter(asked.target for asked in wire.asked)["/upload"] == 2
    assert by_stage(report)["upload"] == {"delivered": 2, "rejected": 1}
    ((reason,),) = rows(Path("state"), "select reason from record")
    assert "the attribute `tag` has the name of a stage" in reason


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"params": {"a": "b"}}, "`params` belongs to one call"),
        ({"endpoint": "tag-image"}, "`endpoint` belongs to one call"),
        ({"stages": []}, "stages"),
        ({"stages": [{"name": "a"}]}, "either `endpoint: NAME`"),
        ({"stages": [{"name": "a", "endpoint": "x"}, {"name": "a", "endpoint": "y"}]}, "the name `a`"),
        ({"stages": [{"name": "a", "endpoint": "x", "after": "settled"}]}, "is the first"),
        ({"stages": [{"name": "a", "endpoint": "x", "afterr": "settled"}]}, "did you mean `after`"),
    ],
)
def test_stages_that_do_not_hold_are_refused_with_the_way_out(written: dict[str, Any], said: str) -> None:
    whole = {"name": "d", "stages": [{"name": "a", "endpoint": "x"}], **written}
    with pytest.raises(DestinationError) as raised:
        haulier.send(whole, records(1), state="state")
    assert said in str(raised.value)


def test_a_stage_that_lacks_its_credential_is_named() -> None:
    whole = {
        "name": "d",
        "connector": "imagga",
        "stages": [{"name": "ask", "endpoint": "usage"}],
    }
    with pytest.raises(CredentialError, match="stage `ask`"):
        haulier.send(whole, records(1), state="state")


# -- stopping and going on -------------------------------------------------------------------------------------------


def test_a_stage_that_stops_stops_the_run_and_the_same_call_goes_on() -> None:
    broken = True

    def reply(asked: Asked) -> bytes:
        return answer(401) if broken and asked.target.startswith("/tag") else service(asked)

    with Wire(reply) as wire:
        destination = pictures(wire, outputs=[{"to": "jsonl", "path": "out.jsonl"}])
        stopped = send(destination, records(20), run_key="k")
        assert stopped.state == "stopped"
        assert "401" in stopped.reason
        assert stopped.exit_code == 3
        before = by_stage(stopped)
        assert before["tag"].get("delivered", 0) == 0
        assert "delete" not in {asked.target.split("/")[1] for asked in wire.asked}
        broken = False
        report = send(destination, records(20), run_key="k")
        assert report.ok
        uploaded = Counter(asked.body for asked in wire.asked if asked.target == "/upload")
        assert set(uploaded.values()) == {1}
    assert by_stage(report) == {name: {"delivered": 20} for name in ("upload", "tag", "delete")}
    assert [line["key"] for line in lines()] == list(range(20))


def mistaken(asked: Asked) -> bytes:
    """The service, which knows nothing at the path `/tga`."""
    return answer(404) if asked.target.startswith("/tga") else service(asked)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        (
            "/tag/{record.upload.result.upload_idd}",
            "stage `tag`: none of the first 20 records could be sent, so it is a setting rather than the records (the "
            "last: record 19: path parameter {record.upload.result.upload_idd}: attribute `upload.result.upload_idd` "
            "is missing)",
        ),
        (
            f"/tga/{UPLOAD_ID}",
            "stage `tag`: the first 20 requests were all refused, so it is a setting rather than the records (the "
            "last: the service answered 404: {})",
        ),
    ],
)
def test_a_later_stage_that_nothing_comes_through_stops_the_run_and_goes_on_when_it_is_mended(
    path: str, told: str
) -> None:
    """Nobody is rejected, few are called for in vain, and no earlier stage is called twice."""
    with Wire(mistaken) as wire:
        upload = stage(wire, "upload")
        wrong, right = (
            stage(wire, "tag", path=one, exclude=["upload"]) for one in (path, f"/tag/{UPLOAD_ID}")
        )
        delete = stage(wire, "delete", "DELETE", f"/delete/{UPLOAD_ID}", after="settled")
        limits = {"max_in_flight": 4}
        stopped = send(pictures(wire, upload, wrong, delete, limits=limits), records(500), run_key="k")
        assert (stopped.state, stopped.exit_code, stopped.reason) == ("stopped", 3, told)
        assert (stopped.rejected, stopped.in_doubt) == (0, 0)
        assert {*by_stage(stopped)["tag"]} == {"pending"}
        assert 20 <= by_stage(stopped)["upload"]["delivered"] < 100
        assert not any(asked.target.startswith("/delete") for asked in wire.asked)
        with pytest.raises(ConfigurationError, match="begun with other settings"):
            send(
                pictures(wire, {**upload, "exclude": ["x"]}, right, delete, limits=limits),
                records(500),
                run_key="k",
            )
        report = send(pictures(wire, upload, right, delete, limits=limits), records(500), run_key="k")
        assert by_stage(report) == {name: {"delivered": 500} for name in ("upload", "tag", "delete")}
        uploaded = Counter(asked.body for asked in wire.asked if asked.target == "/upload")
        tagged = Counter(asked.target for asked in wire.asked if asked.target.startswith("/tag/"))
        assert (len(uploaded), set(uploaded.values())) == (500, {1})
        assert (len(tagged), set(tagged.values())) == (500, {1})


def test_a_stage_that_something_came_through_rejects_what_cannot_be_sent_as_it_comes() -> None:
    """Also where that is more than the first twenty."""

    def reply(asked: Asked) -> bytes:
        odd = asked.target == "/upload" and json.loads(asked.body)["id"] % 100
        return answer(body=b'{"result":{}}') if odd else service(asked)

    with Wire(reply) as wire:
        report = send(pictures(wire, limits={"max_in_flight": 1}), records(100))
    assert by_stage(report)["tag"] == {"delivered": 1, "rejected": 99}


@pytest.mark.parametrize(
    ("count", "none_of_them"), [(1, "its only record could not"), (7, "none of its 7 records could")]
)
def test_a_stage_of_whose_few_records_none_could_be_sent_stops_the_run_when_the_input_ends(
    count: int, none_of_them: str
) -> None:
    """Nobody is rejected, and nothing is sent twice once it is mended."""
    with Wire(service) as wire:
        upload = stage(wire, "upload")
        wrong, right = (
            stage(wire, "tag", path=f"/tag/{{record.upload.result.{name}}}", exclude=["upload"])
            for name in ("upload_idd", "upload_id")
        )
        delete = stage(wire, "delete", "DELETE", f"/delete/{UPLOAD_ID}", after="settled")
        stopped = send(pictures(wire, upload, wrong, delete), records(count), run_key="k")
        assert (stopped.state, stopped.reason) == (
            "stopped",
            f"stage `tag`: {none_of_them} be sent, so it is a setting rather than the records (the "
            f"last: record {count - 1}: path parameter {{record.upload.result.upload_idd}}: attribute "
            "`upload.result.upload_idd` is missing); where it is the records, write `max_rejected: 100%` and run again",
        )
        assert by_stage(stopped) == {
            "upload": {"delivered": count},
            "tag": {"pending": count},
            "delete": {},
        }
        assert [asked.target for asked in wire.asked] == ["/upload"] * count
        report = send(pictures(wire, upload, right, delete), records(count), run_key="k")
        assert by_stage(report) == {name: {"delivered": count} for name in ("upload", "tag", "delete")}
        assert sum(asked.target == "/upload" for asked in wire.asked) == count


def test_few_records_that_cannot_be_sent_are_rejected_where_somebody_said_that_they_may_be() -> None:
    """It may be said afterwards, too."""
    with Wire(lambda asked: answer(body=b'{"result":{}}')) as wire:
        chain = pictures(wire, stage(wire, "upload"), stage(wire, "tag", path=f"/tag/{UPLOAD_ID}"))
        stopped = send(chain, records(3), run_key="k")
        report = send({**chain, "max_rejected": "100%"}, records(3), run_key="k")
    assert (stopped.state, report.state) == ("stopped", "finished")
    assert by_stage(report) == {"upload": {"delivered": 3}, "tag": {"rejected": 3}}


def test_few_records_that_the_service_refuses_are_rejected() -> None:
    """The service has read them: where it was so few, it may well be the records."""
    with Wire(mistaken) as wire:
        tag = stage(wire, "tag", path=f"/tga/{UPLOAD_ID}", exclude=["upload"])
        report = send(pictures(wire, stage(wire, "upload"), tag), records(3))
    assert by_stage(report) == {"upload": {"delivered": 3}, "tag": {"rejected": 3}}


def test_a_replay_ends_although_nothing_comes_through_its_stage() -> None:
    """Its records were chosen, and nobody is called in vain: what cannot be sent is rejected once more."""

    def reply(asked: Asked) -> bytes:
        odd = asked.target == "/upload" and json.loads(asked.body)["id"]
        return answer(body=b'{"result":{}}') if odd else service(asked)

    with Wire(reply) as wire:
        tag = stage(wire, "tag", path=f"/tag/{UPLOAD_ID}", exclude=["upload"])
        chain = pictures(wire, stage(wire, "upload"), tag, limits={"max_in_flight": 1})
        first = send(chain, records(31))
        assert by_stage(first)["tag"] == {"delivered": 1, "rejected": 30}
        again = within(40, lambda: haulier.replay(chain, run=first.run_id, state="state"))
    assert (again.state, again.rejected) == ("finished", 30)


def test_a_later_stage_that_is_down_holds_the_earlier_ones_back() -> None:
    def reply(asked: Asked) -> bytes:
        return answer(503) if asked.target.startswith("/tag") else service(asked)

    with Wire(reply) as wire:
        report = send(pictures(wire, limits={"max_in_flight": 4}), records(500), run_key="k")
        assert (report.state, report.rejected, report.in_doubt) == ("stopped", 0, 0)
        uploaded = sum(asked.target == "/upload" for asked in wire.asked)
        assert uploaded < 60


def test_a_run_that_finished_is_not_repeated_and_mended_settings_begin_anew() -> None:
    with Wire(service) as wire:
        first = send(pictures(wire), records(3), run_key="k")
        count = len(wire.asked)
        again = send(pictures(wire), records(3), run_key="k")
        assert (again.repeated, len(wire.asked), by_stage(again)) == (True, count, by_stage(first))


def test_texts_are_let_go_and_a_finished_chain_takes_little_room() -> None:
    with Wire(service) as wire:
        assert send(pictures(wire), records(50)).ok
    assert rows(Path("state"), "select count(*) from onward") == [(0,)]
    with closing(Ledger.create(Path("state/d"))) as ledger:
        ledger.compact()
        (run,) = ledger.runs()
        stages = ledger.stages(run)
        assert [(one.stage, one.source, one.compacted) for one in stages] == [
            ("tag", "stage upload", 1),
            ("delete", "stage tag", 1),
        ]
        keys = [request["key"] for one in (run, *stages) for request in ledger.requests(one)]
        assert len(set(keys)) == 150
        ledger.prune(1)
        assert len(ledger.runs()) == 1
    assert send_again_and_prune() == [(0,)]


def send_again_and_prune() -> list[tuple[int]]:
    """How many rows of pruned chains are left."""
    with Wire(service) as wire:
        send(pictures(wire), records(2))
    with closing(Ledger.create(Path("state/d"))) as ledger:
        old = ledger.runs()[-1]
        assert ledger.prune(1).removed == (old.run_id,)
        assert len(ledger.runs()) == 1
    return rows(
        Path("state"), "select count(*) from run where chain != 0 and chain not in (select id from run)"
    )


def test_a_program_that_writes_and_flushes_finds_all_stages_at_rest() -> None:
    with Wire(service) as wire:
        with haulier.open_run(pictures(wire), run_key="pushed", state="state") as run:
            run.write(records(3), id="monday")
            within(60, run.flush)
            assert Counter(asked.target.split("/")[1] for asked in wire.asked) == {
                "upload": 3,
                "tag": 3,
                "delete": 3,
            }
            run.write([{"id": 9}])
        assert run.report is not None
        assert by_stage(run.report) == {name: {"delivered": 4} for name in ("upload", "tag", "delete")}


def test_counts_of_every_stage_add_up_at_every_instant() -> None:
    wrong: list[Any] = []
    looks = 0
    ended = threading.Event()

    def look() -> None:
        nonlocal looks
        while not ended.is_set():
            folder = Path("state/d")
            told = all_of(folder) if (folder / "ledger.db").exists() else []
            for one in told:
                looks += 1
                parts = (one.pending, one.sending, one.delivered, one.accepted, one.rejected, one.in_doubt)
                if sum(parts) != one.read or min(parts) < 0:
                    wrong.append(one)

    def reply(asked: Asked) -> bytes:
        if asked.number % 9 == 4:
            return answer(503)
        return answer(400) if asked.target == "/tag/u7" else service(asked)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    with Wire(reply) as wire:
        report = send(pictures(wire), records(150))
    ended.set()
    watcher.join(10)
    assert wrong == []
    assert looks > 20
    assert by_stage(report)["delete"] == {"delivered": 150}


def all_of(folder: Path) -> list[Any]:
    """The counts of the run and of its stages, as they are now."""
    with closing(LedgerView.open(folder)) as view:
        reports = [report_of(view, run, "d") for run in view.runs()]
        return [one for report in reports for one in (report, *report.stages)]


def test_an_input_that_breaks_off_is_carried_through_all_stages_as_far_as_it_was_read() -> None:
    Path("in.json").write_text('[{"id":0},{"id":1},{"id":2},{"id":')
    with Wire(service) as wire:
        report = send(pictures(wire), "in.json")
    assert report.state == "stopped"
    assert by_stage(report) == {name: {"delivered": 3} for name in ("upload", "tag", "delete")}


# -- outputs and dead letters ----------------------------------------------------------------------------------------


def test_outputs_of_a_stage_get_its_own_lines() -> None:
    with Wire(service) as wire:
        stages = (
            stage(wire, "upload", outputs=[{"to": "jsonl", "path": "uploads.jsonl", "answer": True}]),
            stage(wire, "tag", path=f"/tag/{UPLOAD_ID}", exclude=["upload"]),
        )
        outputs = [{"to": "jsonl", "path": "out.jsonl"}]
        report = send(pictures(wire, *stages, outputs=outputs), records(3))
    own = lines("uploads.jsonl")
    assert [(line["key"], line["state"]) for line in own] == [(number, "delivered") for number in range(3)]
    assert [line["answer"]["body"]["result"]["upload_id"] for line in own] == ["u0", "u1", "u2"]
    assert [(line["run"], line["stage"], line["key"]) for line in lines()] == [
        (report.run_id, "tag", number) for number in range(3)
    ]


def test_an_output_of_the_chain_gets_the_lines_it_asks_for() -> None:
    def reply(asked: Asked) -> bytes:
        return answer(400) if asked.target == "/tag/u1" else service(asked)

    with Wire(reply) as wire:
        outputs = [
            {"to": "jsonl", "path": "failed.jsonl", "when": {"at": "/state", "is": "rejected"}},
            {"to": "jsonl", "path": "out.jsonl"},
        ]
        send(pictures(wire, outputs=outputs), records(3))
    assert [(line["key"], line["stage"]) for line in lines("failed.jsonl")] == [(1, "tag")]
    assert [line["key"] for line in lines()] == [0, 1, 2]


def test_a_dead_letter_names_its_stage_and_a_replay_goes_on_from_there() -> None:
    bad = True

    def reply(asked: Asked) -> bytes:
        return answer(400) if bad and asked.target == "/tag/u1" else service(asked)

    with Wire(reply) as wire:
        stages = (
            stage(wire, "upload"),
            stage(wire, "tag", path=f"/tag/{UPLOAD_ID}", exclude=["upload"]),
            stage(wire, "done", path=f"/done/{UPLOAD_ID}"),
        )
        first = send(pictures(wire, *stages, limits={"max_in_flight": 1}), records(3))
        with closing(LedgerView.open(Path("state/d"))) as view:
            (run,) = view.runs()
            tag = view.stages(run)[0]
            assert [(one["position"], json.loads(one["text"])) for one in view.records(tag)] == [
                (1, {"id": 1, "upload": {"result": {"upload_id": "u1"}}})
            ]
        bad = False
        before = len(wire.asked)
        replayed = within(60, lambda: haulier.replay(pictures(wire, *stages), state="state"))
        assert [asked.target for asked in wire.asked[before:]] == ["/tag/u1", "/done/u1"]
    assert replayed.parent == first.run_id
    assert by_stage(replayed) == {"upload": {}, "tag": {"delivered": 1}, "done": {"delivered": 1}}
    # It is not told that its input holds no records, although none came to the first stage.
    assert (replayed.ok, replayed.note) == (True, "")


def test_what_was_cleaned_up_is_replayed_from_the_first_stage() -> None:
    bad = True

    def reply(asked: Asked) -> bytes:
        return answer(400) if bad and asked.target == "/tag/u1" else service(asked)

    with Wire(reply) as wire:
        send(pictures(wire), records(3))
        bad = False
        before = len(wire.asked)
        replayed = within(60, lambda: haulier.replay(pictures(wire), state="state"))
        assert [asked.target for asked in wire.asked[before:]] == ["/upload", "/tag/u1", "/delete/u1"]
        assert wire.asked[before].body == b'{"id":1}'
    assert replayed.ok


def test_dead_letters_that_an_answer_made_of_one_record_are_replayed_as_one_record() -> None:
    bad = True

    def reply(asked: Asked) -> bytes:
        if asked.target == "/make":
            return answer(body=b'{"parts":[{"n":0},{"n":1}]}')
        return answer(400) if bad and asked.target == "/fill" and b'"id":1' in asked.body else answer()

    with Wire(reply) as wire:
        chain = pictures(
            wire,
            stage(wire, "make"),
            stage(wire, "fill", each="/parts"),
            stage(wire, "done", after="settled"),
        )
        first = send(chain, records(2))
        assert by_stage(first)["fill"] == {"delivered": 2, "rejected": 2}
        bad = False
        before = len(wire.asked)
        replayed = within(60, lambda: haulier.replay(chain, state="state"))
        assert Counter(asked.target for asked in wire.asked[before:]) == {"/make": 1, "/fill": 2, "/done": 2}
        assert by_stage(replayed) == {
            name: {"delivered": n} for name, n in (("make", 1), ("fill", 2), ("done", 2))
        }
        with pytest.raises(ConfigurationError, match="nothing is left to replay: 2 were replayed before"):
            haulier.replay(chain, state="state")


def test_a_preview_warns_of_what_a_later_stage_reads_and_nothing_gives() -> None:
    url = "http://127.0.0.1:9"
    stages = [
        {"name": "a", "request": {"method": "POST", "url": f"{url}/a"}},
        {
            "name": "b",
            "request": {
                "method": "POST",
                "url": f"{url}/b/{{record.a.id}}/{{record.id}}/{{record.c.id}}",
                "body": {"gone": "{record.d.x}", "rare": "{record.rare}"},
            },
        },
    ]
    carried = [{"id": 1}, {"id": 2, "rare": 3}]
    warnings = haulier.preview({"name": "d", "stages": stages}, carried).warnings
    nowhere = "is no earlier stage, and none of the first 2 records has an attribute of that name"
    planned = haulier.plan({"name": "d", "stages": stages}, carried)
    assert set(warnings) < set(planned.warnings)
    assert [one for one in warnings if one.startswith("stage `b`")] == [
        f"stage `b`: {{record.c.id}}: `c` {nowhere}",
        f"stage `b`: {{record.d.x}}: `d` {nowhere}",
    ]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("url", "http://127.0.0.1:9/{record.tag.id}"),
        ("headers", {"X-Id": "{record.tag.id}"}),
        ("add", {"id": "{record.tag.id}"}),
        ("rename", {"tag.id": "id"}),
        ("files", {"image": "{record.tag.id}"}),
    ],
)
def test_no_setting_of_a_stage_reads_what_the_stage_itself_answers(setting: str, value: Any) -> None:
    call: dict[str, Any] = {"url": "http://127.0.0.1:9/x", "content_format": "multipart"}
    of_call = setting in ("url", "files")
    stages = [
        {"name": "upload", "request": call},
        {
            "name": "tag",
            "request": {**call, **({setting: value} if of_call else {})},
            **({} if of_call else {setting: value}),
        },
    ]
    assert haulier.check({"name": "d", "files_root": ".", "stages": stages}).problems == (
        "destination `d`, stage `tag`: {record.tag.id}: stage `tag` has not answered when this one is called; name an "
        "earlier stage",
    )


def test_preview_plan_and_test_send_refuse_what_a_run_refuses_for_the_name_of_a_stage() -> None:
    carried = [{"id": 0, "tag": "mine"}, {"id": 1}, {"id": 2, "delete": None}]
    refused = "has the name of a stage, whose answer stands under it; rename one of the two"
    with Wire(service) as wire:
        chain = pictures(wire)
        shown, counted = haulier.preview(chain, carried), haulier.plan(chain, carried)
        with pytest.raises(ConfigurationError) as caught:
            haulier.test_send(chain, carried[:1])
        assert wire.asked == []
        report = send(chain, carried)
    assert [one.told for one in shown.rejected] == [
        f"record 0: the attribute `tag` {refused}",
        f"record 2: the attribute `delete` {refused}",
    ]
    assert [one.positions for one in shown.samples] == [(1,)]
    assert (counted.requests, counted.rejected) == (1, 2)
    assert list(counted.first_rejections) == [one.told for one in shown.rejected]
    assert str(caught.value).endswith(f"(record 0: the attribute `tag` {refused})")
    assert by_stage(report)["upload"] == {"delivered": 1, "rejected": 2}


@pytest.mark.parametrize(("reader", "read"), [("a", "a"), ("a", "b"), ("b", "b")])
def test_a_stage_that_reads_what_none_has_answered_yet_is_refused_at_check(reader: str, read: str) -> None:
    stages = [
        {"name": name, "request": {"url": "http://127.0.0.1:9/x", "body": {"id": f"{{record.{read}.id}}"}}}
        if name == reader
        else {"name": name, "request": {"url": "http://127.0.0.1:9/x"}}
        for name in ("a", "b")
    ]
    assert haulier.check({"name": "d", "stages": stages}).problems == (
        f"destination `d`, stage `{reader}`: {{record.{read}.id}}: stage `{read}` has not answered when this one is "
        "called; name an earlier stage",
    )
