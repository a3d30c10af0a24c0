"""Files that are others by the time they are sent: while a run is under way, and when it goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import QUICK, counts, rows, within
from tests.core.runs.wire import Answer, Asked, Wire, answer

import haulier

# What the ledger keeps whole cannot be made again of its records; it names its files all the same.
NOW = "a file of it is gone or another one now"
NEVER_SENT = f"{NOW}, and nothing of it was carried out; a replay sends it as it is now"
TRIED = f"{NOW}, and the one before was tried; a replay of what is in doubt sends it as it is now"


def uploading(wire: Wire, **written: Any) -> dict[str, Any]:
    """Each record's file is the body of a request; they leave one after the other."""
    request = {
        "method": "POST",
        "url": wire.url,
        "content_format": "bytes",
        "attributes": "none",
        "files": {"image": "{record.file}"},
    }
    return {
        "name": "d",
        "request": request,
        "files_root": str(Path("pictures").absolute()),
        "retry": QUICK,
        "limits": {"max_in_flight": 1},
        **written,
    }


def picture(number: int, version: str) -> None:
    Path("pictures").mkdir(exist_ok=True)
    Path(f"pictures/{number}.png").write_text(f"{version} {number}")


def named(count: int) -> list[dict[str, Any]]:
    return [{"id": number, "file": f"{number}.png"} for number in range(count)]


def given_once(count: int) -> Any:
    """Records that cannot be read again from where they came from."""
    yield from named(count)


def send(made: dict[str, Any], carried: Any, **more: Any) -> haulier.Report:
    return within(60, lambda: haulier.send(made, carried, state="state", run_key="k", **more))


def dead_letters() -> list[tuple[int, int, str]]:
    return rows(Path("state"), "select position, state, reason from record order by run, position")


REJECTED, IN_DOUBT = 4, 5


def stopped_at_third(wire: Wire, carry: Any) -> None:
    """A first sitting of six records: two are delivered, the third stops the run, the others never leave."""
    for number in range(6):
        picture(number, "first")
    wire.reply = lambda asked: answer(401) if asked.number == 2 else answer()
    stopped = carry()
    assert (stopped.state, counts(stopped)) == ("stopped", {"delivered": 2, "pending": 4})
    kept = rows(
        Path("state"), "select first, status, attempts, stored is not null from request where state = 0"
    )
    assert kept == [(2, 401, 1, 1), (3, 0, 0, 1), (4, 0, 0, 1), (5, 0, 0, 1)]
    wire.reply = lambda _: answer()


def test_what_never_left_is_sent_as_it_is_now_where_its_records_are_given_again() -> None:
    with Wire() as wire:
        made = uploading(wire)
        stopped_at_third(wire, lambda: send(made, given_once(6)))
        picture(3, "second, and longer")
        Path("pictures/4.png").unlink()
        ended = send(made, given_once(6))
        assert counts(ended) == {"delivered": 5, "rejected": 1}
        assert wire.bodies[3:] == [b"first 2", b"second, and longer 3", b"first 5"]
        assert len({asked.header("idempotency-key") for asked in wire.asked}) == 5
    gone = "record 4: parameter image: file '4.png': no such file below files_root; check the record's path"
    assert dead_letters() == [(4, REJECTED, gone)]


def test_what_was_tried_is_in_doubt_where_its_file_is_another_one() -> None:
    with Wire() as wire:
        made = uploading(wire)
        stopped_at_third(wire, lambda: send(made, given_once(6)))
        picture(2, "second, and longer")
        assert counts(send(made, given_once(6))) == {"delivered": 5, "in_doubt": 1}
        assert wire.bodies[3:] == [b"first 3", b"first 4", b"first 5"]
    assert dead_letters() == [(2, IN_DOUBT, TRIED)]


def test_a_file_that_was_written_again_with_the_same_bytes_is_the_same() -> None:
    with Wire() as wire:
        made = uploading(wire)
        stopped_at_third(wire, lambda: send(made, given_once(6)))
        for number in (2, 3):
            picture(number, "first")
            os.utime(f"pictures/{number}.png", (1, 1))
        picture(4, "other")  # of the same length, which the time of change alone tells
        ended = send(made, given_once(6))
        assert counts(ended) == {"delivered": 6}
        assert wire.bodies[3:] == [b"first 2", b"first 3", b"other 4", b"first 5"]


@pytest.mark.parametrize("how", ["pushed", "fetched"])
def test_what_never_left_and_cannot_be_made_anew_is_rejected_and_replayed_as_it_is_now(how: str) -> None:
    """Nobody gives its records again, or not with the files that were fetched for them."""
    with Wire() as wire:
        made = uploading(wire, **({"fetch": {"allow": ["127.0.0.1"]}} if how == "fetched" else {}))

        def carry(count: int) -> haulier.Report:
            if how == "fetched":
                return send(made, named(6))
            run = haulier.open_run(made, run_key="k", state="state")
            run.write(named(count))
            return within(60, run.close)

        stopped_at_third(wire, lambda: carry(6))
        picture(3, "second, and longer")
        ended = carry(0)
        assert counts(ended) == {"delivered": 5, "rejected": 1}
        assert wire.bodies[3:] == [b"first 2", b"first 4", b"first 5"]
        assert dead_letters() == [(3, REJECTED, f"record 3: {NEVER_SENT}")]
        replayed = within(60, lambda: haulier.replay(made, state="state"))
        assert counts(replayed) == {"delivered": 1}
        assert wire.bodies[-1] == b"second, and longer 3"


@pytest.mark.parametrize("refused", [False, True])
def test_what_changed_under_way_is_rejected_as_nothing_of_it_can_have_been_carried_out(refused: bool) -> None:
    """It is no doubt: each attempt, or each but one that was refused, saw before its first byte that the file is not
    the one that was planned.
    """
    for number in range(6):
        picture(number, "first")

    def reply(asked: Asked) -> Answer:
        if asked.number == (2 if refused else 0):
            picture(2, "second, and longer")
        return answer(429) if refused and asked.number == 2 else answer()

    with Wire(reply) as wire:
        made = uploading(wire)
        assert counts(send(made, named(6))) == {"delivered": 5, "rejected": 1}
        assert wire.bodies.count(b"first 2") == refused
        assert [body for body in wire.bodies if body != b"first 2"] == [
            b"first %d" % number for number in (0, 1, 3, 4, 5)
        ]
        changed = "file 2.png: changed since the run looked at it; let it rest, and run again"
        assert dead_letters() == [(2, REJECTED, f"retries exhausted: {changed}")]
        assert counts(within(60, lambda: haulier.replay(made, state="state"))) == {"delivered": 1}
        assert wire.bodies[-1] == b"second, and longer 2"
