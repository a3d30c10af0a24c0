"""Files that records name by URL, in whole runs over real sockets: fetched once, kept until settled, never changed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import QUICK, counts, rows, within
from tests.core.runs.wire import Asked, Wire, answer
from tests.ports import free_port

import haulier
from haulier.cli.reporting import report_lines
from haulier.errors import ConfigurationError, DestinationError
from haulier.runs.reports.tidying import prune_runs

FETCH = {"allow": ["127.0.0.1"], "attempts": 1}


def uploading(wire: Wire, **written: Any) -> dict[str, Any]:
    """Each record's picture as a part of a multipart body."""
    request = {
        "url": f"{wire.url}/upload",
        "content_format": "multipart",
        "files": {"image": "{record.picture}"},
        "attributes": "none",
    }
    return {"name": "d", "request": request, "retry": QUICK, "fetch": FETCH, **written}


def send(made: dict[str, Any], carried: Any, **more: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(made, carried, state="state", **more))


def pictures(wire: Wire, count: int) -> list[dict[str, Any]]:
    return [{"id": number, "picture": f"{wire.url}/{number}.png"} for number in range(count)]


def picture(asked: Asked) -> bytes:
    return answer(body=b"picture " + asked.target.encode(), media_type="image/png")


def parts(asked: Asked) -> tuple[str, str, bytes]:
    """File name, type and content of the one part of a body."""
    found = re.search(
        rb'filename="([^"]*)"\r\nContent-Type: ([^\r]*)\r\n\r\n(.*)\r\n--', asked.body, re.DOTALL
    )
    assert found is not None
    return found[1].decode(), found[2].decode(), found[3]


def kept() -> list[Path]:
    return [path for path in Path("state").glob("d/fetched/**/*") if path.is_file() and path.name[0] != "."]


def reasons() -> list[str]:
    """Of all records that were rejected, without their place."""
    found = rows(Path("state"), "select reason from record order by run, position")
    return [reason.partition(": ")[2] for (reason,) in found]


# -- what goes out ---------------------------------------------------------------------------------------------------


def test_each_picture_arrives_as_it_was_fetched_and_nothing_of_it_stays() -> None:
    with Wire(picture) as store, Wire() as wire:
        assert counts(send(uploading(wire), pictures(store, 30))) == {"delivered": 30}
        assert sorted(map(parts, wire.asked)) == sorted(
            (f"{number}.png", "image/png", f"picture /{number}.png".encode()) for number in range(30)
        )
        assert len(store.asked) == 30
    assert not list(Path("state").glob("d/fetched/*/*"))


def test_the_first_picture_leaves_long_before_the_last_is_fetched_and_few_are_kept() -> None:
    """Memory and disk are flat: what is fetched ahead is bounded by what was not sent yet."""
    most = 0

    def upload(asked: Asked) -> bytes:
        nonlocal most
        most = max(most, len(kept()))
        return answer()

    with Wire(picture) as store, Wire(upload, delay_s=0.005) as wire:
        made = uploading(wire, limits={"max_in_flight": 1})
        assert counts(send(made, pictures(store, 300))) == {"delivered": 300}
        assert wire.asked[0].at < store.asked[150].at
    assert most < 120


@pytest.mark.parametrize("later", [False, True], ids=["the first stage", "a later stage"])
def test_a_slow_picture_holds_back_neither_those_before_it_nor_the_fetching_of_others(later: bool) -> None:
    """The order of records is kept: what is behind it was fetched meanwhile, and leaves after it."""
    slow, before, fetched_ahead = 5, 5, 12
    go_on, sent = threading.Event(), []

    def slowly(asked: Asked) -> bytes:
        if asked.target == f"/{slow}.png":
            go_on.wait(60)
        return picture(asked)

    def upload(asked: Asked) -> bytes:
        if asked.target == "/upload":
            sent.append(int(parts(asked)[0][:-4]))
        return answer()

    with Wire(slowly) as store, Wire(upload) as wire:
        made = uploading(wire, order="strict", fetch={**FETCH, "timeout_s": 120})
        if later:
            first = {"name": "first", "request": {"url": f"{wire.url}/first"}}
            made["stages"] = [first, {"name": "second", "request": made.pop("request")}]
        Path("in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in pictures(store, 60)))
        ended: list[haulier.Report] = []
        thread = threading.Thread(target=lambda: ended.append(send(made, "in.jsonl")))
        thread.start()
        until = time.monotonic() + 50
        while len(sent) < before or len(store.asked) < slow + fetched_ahead:
            assert time.monotonic() < until, (sent, len(store.asked))
            time.sleep(0.005)
        assert sent == list(range(before))
        go_on.set()
        thread.join(60)
        assert counts(ended[0]) == {"delivered": 120 if later else 60}
        assert sent == list(range(60))


def test_a_destination_that_does_not_say_so_fetches_nothing() -> None:
    with Wire(picture) as store, Wire() as wire:
        send(uploading(wire, fetch=False, files_root="."), pictures(store, 1))
        assert reasons() == [
            "parameter image: is a URL, which is fetched only where the destination says `fetch: true`"
        ]
        assert (store.connections, wire.connections) == (0, 0)
        with pytest.raises(DestinationError, match=r"write `files_root`, .* or `fetch: true`"):
            send(uploading(wire, fetch=False), pictures(store, 1))


def test_paths_and_urls_go_side_by_side_and_paths_still_need_their_root(tmp_path: Path) -> None:
    (tmp_path / "own.png").write_bytes(b"own")
    with Wire(picture) as store, Wire() as wire:
        carried = [{"picture": "own.png"}, *pictures(store, 1)]
        assert counts(send(uploading(wire, files_root="."), carried)) == {"delivered": 2}
        assert sorted(parts(asked)[2] for asked in wire.asked) == [b"own", b"picture /0.png"]
        report = send(uploading(wire), carried, run_key="another")
        assert counts(report) == {"delivered": 1, "rejected": 1}
        assert reasons() == [
            "parameter image: 'own.png' is no http(s) URL; to have it read as the path of a file, write `files_root`"
        ]


def test_what_is_neither_fetched_nor_read_is_named_with_what_it_is() -> None:
    told = {
        "": "'' is empty, no URL of a file",
        "   ": "'   ' is empty, no URL of a file",
        5: "'5' is no http(s) URL; to have it read as the path of a file, write `files_root`",
        "file:///etc/passwd": "'file:///etc/passwd' is no http(s) URL; no other ones are fetched",
        "ftp://u:word@x/y?token=1": "'x/y' is no http(s) URL; no other ones are fetched",
    }
    with Wire() as wire:
        report = send(uploading(wire), [{"picture": one} for one in told])
    assert counts(report) == {"rejected": len(told)}
    assert reasons() == [f"parameter image: {why}" for why in told.values()]


def test_nothing_of_a_credential_goes_to_the_server_of_a_picture() -> None:
    with Wire(picture) as store, Wire() as wire:
        made = uploading(wire, credential="c", headers="X-Own: 1")
        credential = {"type": "basic", "username": "u", "password": "p"}
        report = send(made, pictures(store, 1), credential=credential)
        assert counts(report) == {"delivered": 1}
        assert wire.asked[0].header("authorization")
        assert [name for name, _ in store.asked[0].headers] == [
            "Host",
            "User-Agent",
            "Accept",
            "Accept-Encoding",
        ]


# -- what cannot be fetched ------------------------------------------------------------------------------------------


def test_a_picture_that_cannot_be_fetched_stops_its_record_alone() -> None:
    def reply(asked: Asked) -> bytes:
        return answer(404) if asked.target == "/1.png" else picture(asked)

    with Wire(reply) as store, Wire() as wire:
        carried = [
            *pictures(store, 3),
            {"id": 3, "picture": f"http://[::1]:{store.port}/x?token=secret"},
            {"id": 4, "picture": "http://user:word@127.0.0.1/"},
        ]
        report = send(uploading(wire), carried)
        assert counts(report) == {"delivered": 2, "rejected": 3}
        assert reasons() == [
            f"parameter image: {store.url}/1.png: its server answered 404; give a URL that answers 200 with the file",
            f"parameter image: http://[::1]:{store.port}/x: ::1 leads to ::1, which is no public address; where "
            "files may be fetched from there all the same, write `::1` in `fetch.allow`",
            "parameter image: URL at 127.0.0.1: holds a user name or password, which are not sent; leave them out",
        ]


def test_a_picture_out_of_reach_among_others_is_rejected() -> None:
    with Wire(picture) as store, Wire() as wire:
        carried = pictures(store, 12)
        for number in (2, 11):
            carried[number]["picture"] = f"http://127.0.0.1:{free_port()}/gone.png"
        report = send(uploading(wire), carried)
        assert counts(report) == {"delivered": 10, "rejected": 2}
        assert all(reason.endswith("connection refused, 1 times") for reason in reasons())


def test_a_night_in_which_nothing_can_be_reached_stops_the_run_and_rejects_nobody() -> None:
    """What was fetched before goes out; the same call goes on from the first that could not be."""
    with (
        Wire(lambda asked: picture(asked) if "early" in asked.target else answer(503)) as store,
        Wire() as wire,
    ):
        carried = pictures(store, 40)
        for one in carried[:8]:
            one["picture"] += "?early"
        sent = []

        def upload(asked: Asked) -> bytes:
            sent.append(parts(asked)[0])
            return answer()

        wire.reply = upload
        Path("in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in carried))
        first = send(uploading(wire), "in.jsonl")
        assert (first.state, first.read, counts(first)) == ("stopped", 8, {"delivered": 8})
        assert "files cannot be reached, 5 in a row (the last: " in first.reason
        assert first.reason.endswith(
            "its server answered 503, 1 times); their records were not taken in. Run again when the files can be "
            "reached, or write `fetch: {unreachable: reject}` to have their records rejected"
        )
        assert "to go on: the same command again; what was delivered is not sent twice" in list(
            report_lines(first)
        )
        store.reply = picture
        second = send(uploading(wire), "in.jsonl")
        assert (second.run_id, counts(second)) == (first.run_id, {"delivered": 40})
        assert sorted(sent) == sorted(f"{number}.png" for number in range(40))


def test_urls_that_nobody_is_asked_for_tell_nothing_of_the_network() -> None:
    """One in four is refused by itself; the others are pictures of a bad night."""
    with Wire(lambda _: answer(503)) as store, Wire() as wire:
        carried = pictures(store, 12)
        for one in carried[::4]:
            one["picture"] = "http://user:word@127.0.0.1/"
        report = send(uploading(wire), carried)
        assert (report.state, report.read, counts(report)) == ("stopped", 1, {"rejected": 1})


def test_a_run_is_carried_past_pictures_that_are_gone_for_good_by_saying_so() -> None:
    with Wire(picture) as store, Wire() as wire:
        gone = [{"id": number, "picture": f"http://127.0.0.1:{free_port()}/x"} for number in range(9)]
        Path("in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in [*pictures(store, 4), *gone]))
        first = send(uploading(wire), "in.jsonl")
        assert (first.state, counts(first)) == ("stopped", {"delivered": 4})
        second = send(uploading(wire, fetch={**FETCH, "unreachable": "reject"}), "in.jsonl")
        assert (second.run_id, second.state) == (first.run_id, "finished")
        assert counts(second) == {"delivered": 4, "rejected": 9}


def test_a_record_whose_picture_alone_cannot_be_reached_stops_the_run() -> None:
    with Wire() as wire:
        report = send(uploading(wire), [{"id": 0, "picture": f"http://127.0.0.1:{free_port()}/x"}])
        assert (report.state, report.read) == ("stopped", 0)


def test_a_picture_out_of_reach_holds_back_no_more_than_a_few_blocks(tmp_path: Path) -> None:
    """Records with files of their own show nothing of the network, and pass it in the end."""
    (tmp_path / "own.png").write_bytes(b"own")
    with Wire() as wire:
        gone = {"picture": f"http://127.0.0.1:{free_port()}/x"}
        report = send(uploading(wire, files_root="."), [gone, *[{"picture": "own.png"}] * 600])
        assert (report.state, counts(report)) == ("finished", {"delivered": 600, "rejected": 1})


def test_nothing_of_a_run_that_is_pruned_or_finished_stays() -> None:
    """Neither what a stopped run had fetched, nor files of records that were rejected before they were sent."""
    with Wire(picture) as store, Wire(lambda _: answer(401)) as wire:
        Path("haulier.yaml").write_text("version: 1\n")
        Path("in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in pictures(store, 10)))
        assert send(uploading(wire), "in.jsonl").state == "stopped"
        assert kept()
        prune_runs(keep=0, state="state")
        assert kept(), "it may go on"
        prune_runs(keep=0, unfinished=True, state="state")
        assert not kept()
        wire.reply = lambda _: answer()
        made = uploading(wire, headers={"X-Word": "{record.word}"})
        carried = [one | {"word": "a\nb" if one["id"] else "a"} for one in pictures(store, 3)]
        assert counts(send(made, carried)) == {"delivered": 1, "rejected": 2}
        assert not kept()


# -- crashes ---------------------------------------------------------------------------------------------------------

CARRY = """
import json, sys
import haulier
haulier.send(json.loads(sys.argv[1]), "in.jsonl", state="state")
"""


@pytest.mark.skipif(os.name != "posix", reason="kills")
def test_after_a_crash_the_same_bytes_go_out_though_the_pictures_changed() -> None:
    """No picture that is in a request is fetched again, and what was kept for a crash is gone in the end."""
    version = "first"

    def reply(asked: Asked) -> bytes:
        return answer(body=f"{version} {asked.target}".encode(), media_type="image/png")

    with Wire(reply) as store, Wire(delay_s=0.02) as wire:
        Path("in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in pictures(store, 60)))
        made = uploading(wire, limits={"max_in_flight": 2})
        process = subprocess.Popen([sys.executable, "-c", CARRY, json.dumps(made)])
        until = time.monotonic() + 60
        while len(wire.asked) < 12:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        in_requests = {at for (at,) in rows(Path("state"), "select first from request")}
        unsettled = {at for (at,) in rows(Path("state"), "select first from request where state < 2")}
        assert unsettled
        before, fetched, version = len(wire.asked), len(store.asked), "second"
        assert counts(send(made, "in.jsonl")) == {"delivered": 60}
        again = {int(asked.target[1:-4]) for asked in store.asked[fetched:]}
        assert again == set(range(60)) - in_requests
        sent = {parts(asked)[0]: parts(asked)[2] for asked in wire.asked[before:]}
        for number in range(60):
            if number in unsettled:
                assert sent[f"{number}.png"] == f"first /{number}.png".encode()
            elif number not in in_requests:
                assert sent[f"{number}.png"] == f"second /{number}.png".encode()
    assert not kept()


def test_in_a_chain_a_later_stage_fetches_what_the_answer_before_named() -> None:
    with Wire(picture) as store:
        here = store.url

        def service(asked: Asked) -> bytes:
            if asked.target == "/find":
                return answer(body=json.dumps({"at": f"{here}/{json.loads(asked.body)['id']}.png"}).encode())
            return answer()

        with Wire(service) as wire:
            found = {"name": "find", "request": {"method": "POST", "url": f"{wire.url}/find"}}
            upload = {
                "name": "upload",
                "request": {**uploading(wire)["request"], "files": {"image": "{record.find.at}"}},
            }
            chain = {"name": "d", "retry": QUICK, "fetch": FETCH, "stages": [found, upload]}
            report = send(chain, [{"id": number} for number in range(10)])
            assert counts(report) == {"delivered": 20}
            sent = sorted(parts(asked)[2] for asked in wire.asked if asked.target == "/upload")
            assert sent == sorted(f"picture /{number}.png".encode() for number in range(10))
    assert not kept()


def test_a_later_stage_waits_for_a_better_night_as_the_first_does() -> None:
    with Wire(lambda _: answer(503)) as store, Wire() as wire:
        here = store.url
        wire.reply = lambda asked: (
            answer(body=json.dumps({"at": f"{here}/{json.loads(asked.body)['id']}.png"}).encode())
            if asked.target == "/find"
            else answer()
        )
        find = {"name": "find", "request": {"method": "POST", "url": f"{wire.url}/find"}}
        request = {**uploading(wire)["request"], "files": {"image": "{record.find.at}"}}
        stages = [find, {"name": "upload", "request": request}]
        chain = {"name": "d", "retry": QUICK, "fetch": FETCH, "stages": stages}
        Path("in.jsonl").write_text("".join(f'{{"id": {number}}}\n' for number in range(10)))
        first = send(chain, "in.jsonl")
        assert (first.state, first.stages[1].rejected, first.stages[1].pending) == (
            "stopped",
            0,
            first.stages[0].delivered,
        )
        assert "files cannot be reached" in first.reason
        store.reply = picture
        second = send(chain, "in.jsonl")
        assert (second.run_id, second.state, counts(second)) == (first.run_id, "finished", {"delivered": 20})
    assert not kept()


# -- before sending --------------------------------------------------------------------------------------------------


def test_preview_fetches_nothing_and_says_so() -> None:
    with Wire(picture) as store, Wire() as wire:
        shown = haulier.preview(uploading(wire), pictures(store, 5), n=2)
        assert (store.connections, wire.connections) == (0, 0)
        assert [one.sha256 for one in shown.samples] == ["", ""]
        assert shown.samples[0].varies == (
            "header Idempotency-Key",
            "header Content-Type",
            "header Content-Length",
            "the file 0.png, fetched when it is sent",
        )
        assert {"file": "0.png", "fetched": False} in shown.samples[0].to_dict()["body"]


def test_preview_that_is_told_to_fetch_is_the_wire(tmp_path: Path) -> None:
    with Wire(picture) as store, Wire() as wire:
        shown = haulier.preview(uploading(wire), pictures(store, 5), n=2, fetch_into=tmp_path / "fetched")
        assert len(store.asked) == 2
        send(uploading(wire), pictures(store, 2))
        hashes = [sha.hex() for (sha,) in rows(Path("state"), "select sha256 from request order by first")]
        assert hashes == [one.sha256 for one in shown.samples]
        assert sorted(one.length for one in shown.samples) == sorted(len(asked.body) for asked in wire.asked)
        assert shown.samples[0].varies == ("header Idempotency-Key",)


def test_the_bodies_of_samples_are_written_only_where_they_are_whole(tmp_path: Path) -> None:
    from haulier.runs.previews.sample_files import save_bodies

    with Wire(picture) as store, Wire() as wire:
        shown = haulier.preview(uploading(wire), pictures(store, 1))
        with pytest.raises(
            ConfigurationError, match=r"holds the file 0\.png, which was not fetched; add --fetch"
        ):
            save_bodies(shown.samples, tmp_path / "out")
        shown = haulier.preview(uploading(wire), pictures(store, 1), fetch_into=tmp_path / "fetched")
        (path,) = save_bodies(shown.samples, tmp_path / "out").values()
        assert b"picture /0.png" in path.read_bytes()


def test_a_test_send_fetches_its_sample_and_a_plan_nothing() -> None:
    with Wire(picture) as store, Wire() as wire:
        assert haulier.test_send(uploading(wire), pictures(store, 3)).verdict == "delivered"
        assert parts(wire.asked[0]) == ("0.png", "image/png", b"picture /0.png")
        assert len(store.asked) == 1
        found = haulier.plan(uploading(wire), pictures(store, 3))
        assert (found.requests, len(store.asked)) == (3, 1)
        assert (
            "files that records name by URL are fetched when they are sent; `bytes` leaves them out"
            in found.warnings
        )
