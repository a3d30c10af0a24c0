"""Outputs served beside the deliveries: lines that are durable in the ledger are handed on until outputs have them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from haulier.errors import HaulierError, PluginError
from haulier.io.ledger.rows import Commit
from haulier.model.parts import Output

__all__ = ["Owing"]


class Owing:
    """outputs: (name of its type, output). paid: called in the loop's thread with the seqs an output has made durable.

    failed: called with why an output could not write; what it raises that it should not comes as a PluginError.
    """

    def __init__(
        self,
        outputs: Sequence[tuple[str, Output]],
        *,
        paid: Callable[[list[int]], None],
        failed: Callable[[Exception], None],
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
        for _, output in self._outputs:
            output.close()

    async def _serve(self) -> None:
        while self._lines:
            lines, self._lines = self._lines, []
            for index, (name, output) in enumerate(self._outputs):
                mine = [(seq, line) for seq, at, line in lines if at == index]
                if not mine:
                    continue
                try:
                    await asyncio.to_thread(output.write, [line for _, line in mine])
                except (HaulierError, OSError) as error:
                    self._failed(OSError(f"output {index + 1} ({name}) cannot be written: {error}"))
                    return
                except Exception as error:  # noqa: BLE001 - an output is a plugin's code
                    self._failed(PluginError(f"output {name} raised {type(error).__name__}: {error}"))
                    return
                self._paid([seq for seq, _ in mine])
