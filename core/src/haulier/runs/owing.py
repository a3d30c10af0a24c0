"""Outputs served beside the deliveries: lines that are durable in the ledger are handed on until outputs have them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from haulier.errors import HaulierError
from haulier.io.ledger.rows import Commit
from haulier.model.parts import Output

__all__ = ["Owing"]


class Owing:
    """paid: called in the loop's thread with the seqs an output has made durable; failed: with why it could not."""

    def __init__(
        self, outputs: Sequence[Output], *, paid: Callable[[list[int]], None], failed: Callable[[str], None]
    ) -> None:
        self._outputs = outputs
        self._paid = paid
        self._failed = failed
        self._lines: list[tuple[int, int, bytes]] = []
        self._task: asyncio.Task[None] | None = None

    def durable(self, commit: Commit) -> None:
        """A commit is durable: hand on what it owes."""
        self.add(commit.owed)

    def add(self, lines: Sequence[tuple[int, int, bytes]]) -> None:
        """Hand on (seq, output, line) that are durable in the ledger."""
        if not lines:
            return
        self._lines += lines
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve())

    async def finish(self) -> None:
        """Wait until all that was handed on so far was written, or an output failed."""
        if self._task is not None:
            await self._task

    def close(self) -> None:
        """Let outputs go."""
        for output in self._outputs:
            output.close()

    async def _serve(self) -> None:
        while self._lines:
            lines, self._lines = self._lines, []
            for index, output in enumerate(self._outputs):
                mine = [(seq, line) for seq, at, line in lines if at == index]
                if not mine:
                    continue
                try:
                    await asyncio.to_thread(output.write, [line for _, line in mine])
                except (HaulierError, OSError) as error:
                    self._failed(f"output {index + 1} cannot be written: {error}")
                    return
                self._paid([seq for seq, _ in mine])
