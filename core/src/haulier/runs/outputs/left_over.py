"""Lines that a finished run still owes to its outputs: handed over by the command that finds the run finished."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from haulier.io.ledger.protocol import Store
from haulier.io.ledger.rows import Commit, RunRow
from haulier.runs.outputs.owing import Owing, ReadBack
from haulier.runs.outputs.served import Served

__all__ = ["hand_over_lines"]


async def hand_over_lines(
    ledger: Store, run: RunRow, outputs: Sequence[Served], *, read: ReadBack, stopped: Callable[[], bool]
) -> str:
    """Hand outputs what the ledger keeps for them; why some of them have not all, or an empty text."""
    paid: list[int] = []
    troubles: list[Exception] = []

    async def write_down() -> None:
        if paid:
            commit = Commit(paid=list(paid))
            paid.clear()
            await asyncio.to_thread(ledger.commit, run.id, [commit])

    owing = Owing(outputs, read=read, paid=paid.extend, failed=troubles.append)
    owing.begin(ledger.owing(run))
    try:
        late = await owing.finish(stopped=stopped, meanwhile=write_down)
    finally:
        await owing.close()
    await write_down()
    return late or "; ".join(map(str, troubles))
