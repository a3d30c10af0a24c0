"""The fault matrix over real sockets: every cell of `matrix.py`, for every transport that is built."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
from tests.core.runs.carrying import QUICK, counts
from tests.faults.matrix import SIZE, Cell, cells
from tests.faults.serving import Arrived, FaultServer, Script
from tests.faults.steps import GOOD
from tests.sharing import made_once

import haulier
from haulier.model.destination import Destination

pytestmark = pytest.mark.long
TRANSPORTS = [name for name in get_args(Destination.model_fields["transport"].annotation) if name != "auto"]
CELLS = {cell.name: cell for cell in cells()}
AT_ONCE = 24
PATIENCE_S = 60


@dataclass(frozen=True)
class Seen:
    """What a run came to and what arrived. mended: the report of the same run, gone on with, where it had stopped."""

    report: haulier.Report
    arrived: list[Arrived]
    mended: haulier.Report | None = None


def records_of(cell: Cell) -> list[dict[str, Any]]:
    """What goes before, what the cell is about, and what goes behind it; ids tell the place in the batch."""
    text = "x" * 3_000_000 if cell.unread else ""
    return [
        {"id": place, "side": side, "text": text if side == "bad" else ""}
        for side in sides_of(cell)
        for place in range(size_of(cell))
    ]


def sides_of(cell: Cell) -> list[str]:
    return ["bad", "behind"] if cell.first else ["before", "bad", "behind"]


def size_of(cell: Cell) -> int:
    return SIZE if cell.batched else 1


async def carry(cell: Cell, transport: str, server: FaultServer, folder: Path) -> Seen:
    # A record that stands alone is the bad one.
    script = Script(
        lambda places, before: cell.does(places if cell.batched else (1,), before), unread=cell.unread
    )
    written = {
        "name": "d",
        "request": {
            "method": "POST",
            "url": server.script(f"{transport}-{list(CELLS).index(cell.name)}", script),
            "headers": "X-Side:{record.side}",
        },
        "exclude": ["side"],
        "transport": transport,
        "retry": QUICK,
        "limits": {"max_in_flight": 1},
        "unanswered": cell.policy,
        "batching": {"size": SIZE} if cell.batched else False,
        **cell.written,
    }
    if "outputs" in written:
        written["outputs"] = [{**written["outputs"][0], "path": f"{folder.name}.jsonl"}]
    report = await haulier.asend(written, records_of(cell), state=folder, run_key="k")
    arrived = list(script.arrived)
    if not cell.came.stops:
        return Seen(report, arrived)
    script.steps = lambda places, before: (GOOD,)
    script.arrived.clear()
    mended = await haulier.asend(written, records_of(cell), state=folder, run_key="k")
    return Seen(report, arrived, mended)


async def carry_all(server: FaultServer, folder: Path) -> dict[tuple[str, str], Seen | TimeoutError]:
    found: dict[tuple[str, str], Seen | TimeoutError] = {}
    room = asyncio.Semaphore(AT_ONCE)

    async def one(transport: str, cell: Cell) -> None:
        async with room:
            try:
                state = folder / f"{transport}-{list(CELLS).index(cell.name)}"
                carried = carry(cell, transport, server, state)
                found[transport, cell.name] = await asyncio.wait_for(carried, PATIENCE_S)
            except TimeoutError as error:
                found[transport, cell.name] = error

    # Those with a short time-out at last and all together: nothing but themselves then takes the time.
    for short in (False, True):
        chosen = [cell for cell in CELLS.values() if ("timeout_s" in cell.written) is short]
        await asyncio.gather(*(one(name, cell) for name in TRANSPORTS for cell in chosen))
    return found


def carried_out(folders: pytest.TempPathFactory) -> dict[tuple[str, str], Seen | TimeoutError]:
    # In memory where there is a folder for that: some hundred ledgers wait for the disk longer than for the server.
    memory = Path("/dev/shm")
    where = memory if os.access(memory, os.W_OK) else folders.getbasetemp()
    with (
        pytest.MonkeyPatch.context() as patch,
        TemporaryDirectory(dir=where) as folder,
        FaultServer() as server,
    ):
        patch.chdir(folder)
        patch.setenv("HAULIER_PLUGINS", "batching")
        return asyncio.run(carry_all(server, Path(folder)))


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Seen | TimeoutError]:
    """What became of every cell; they are carried out many at once."""
    return made_once("fault matrix", lambda: carried_out(tmp_path_factory), tmp_path_factory)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", CELLS)
def test_every_cell_comes_to_what_the_matrix_says(
    name: str, transport: str, seen: dict[tuple[str, str], Seen | TimeoutError]
) -> None:
    cell, found = CELLS[name], seen[transport, name]
    assert isinstance(found, Seen), f"not ended after {PATIENCE_S} s"
    came, report = cell.came, found.report
    bad = [one for one in found.arrived if one.bad]
    assert (len(bad), len({one.header("idempotency-key") for one in bad})) == (came.requests, came.different)
    assert report.attempts == len(found.arrived)
    size, sides = size_of(cell), sides_of(cell)
    if came.stops:
        before = 0 if cell.first else size
        assert (report.state, report.exit_code) == ("stopped", 3)
        assert cell.stops_with in report.reason
        left = {"delivered": before, "pending": report.read - before}
        assert counts(report) == {state: count for state, count in left.items() if count}
        assert found.mended is not None
        assert counts(found.mended) == {"delivered": size * len(sides)}
        return
    expected = came.of(size)
    expected["delivered"] = expected.get("delivered", 0) + size * (len(sides) - 1)
    assert report.state == "finished"
    assert counts(report) == expected
    if cell.after_s:
        assert bad[1].at - bad[0].at >= cell.after_s - 0.05


def test_whatever_is_sent_again_has_the_same_bytes_and_key(
    seen: dict[tuple[str, str], Seen | TimeoutError],
) -> None:
    for name, found in seen.items():
        if not isinstance(found, Seen):
            continue
        bodies: dict[str, set[bytes]] = {}
        for one in found.arrived:
            if one.body:
                bodies.setdefault(one.header("idempotency-key"), set()).add(one.body)
        assert all(len(one) == 1 for one in bodies.values()), name
        assert len({body for one in bodies.values() for body in one}) <= len(bodies), name
