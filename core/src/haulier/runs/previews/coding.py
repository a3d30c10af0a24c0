"""Where plans meet code: the room that runs it, and the loop that has it run while nothing is sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haulier.errors import ConfigurationError, DestinationError, RecordError
from haulier.model.parts import Work
from haulier.model.request import Positions
from haulier.pipeline.making import carried
from haulier.pipeline.planner import Planned, Planner
from haulier.runs.previews.trust import code_is_trusted
from haulier.runs.resolving.resolved import Resolved

if TYPE_CHECKING:
    from haulier.io.code.room import CodeRoom

__all__ = ["carried_out", "carrier_of", "code_room"]


def code_room(
    resolved: Resolved, root: Path, started: float, *, trusted: bool | None = None
) -> CodeRoom | None:
    """The room for the code of a destination, None where it has none.

    started: of the run, Unix seconds: there its clock stands still. Raises ConfigurationError where it cannot be run.
    """
    program = resolved.program
    if program is None:
        return None
    # Few destinations have code, and its rooms come with all that runs processes.
    from haulier.io.code.room import CodeRoom  # noqa: PLC0415

    try:
        return CodeRoom(program, root, started, trusted=code_is_trusted() if trusted is None else trusted)
    except ConfigurationError as error:
        raise type(error)(f"destination `{resolved.destination.name}`: batching.grouping: {error}") from None


def carrier_of(
    resolved: Resolved, root: Path, started: float, *, twice: bool, stack: ExitStack
) -> Callable[[Work, Positions], Any] | None:
    """What carries out work at once, for previews and plans.

    twice: everything is made again in another process and held against the first; DestinationError where they differ.
    """
    room = code_room(resolved, root, started)
    if room is None:
        return None
    stack.enter_context(room)
    again = code_room(resolved, root, started) if twice else None
    if again is None:
        return room.carry
    stack.enter_context(again)
    name = resolved.destination.name

    def carry(work: Work, positions: Positions) -> Any:
        made = room.carry(work, positions)
        if again.carry(work, positions) != made:
            raise DestinationError(
                f"destination `{name}`: batching.grouping: its code made two payloads of the same records "
                f"(from record {positions[0]} on) that differ; a repeated request could not be told from a new one. "
                "Leave out what changes from call to call"
            )
        return made

    return carry


def carried_out(
    planner: Planner, piece: Planned, carry: Callable[[Work, Positions], Any] | None
) -> Iterator[Planned]:
    """This piece of a plan, and what comes of the work in it, in order."""
    yield piece
    work = deque(piece.work)
    while work and carry is not None:
        one = work.popleft()
        result: Any
        try:
            result = carried(one.work, one.positions, carry)
        except RecordError as error:
            result = error
        done = planner.done(one.ticket, result)
        work.extend(done.work)
        yield done
