"""Whether a plan can be made in another process, and when that is told."""

from __future__ import annotations

import msgspec

from haulier.io.readers.input_hash import InputHash
from haulier.model.expression import RunFacts
from haulier.runs.inputs.intake import Input, Intake
from haulier.runs.planning.beginning import Begun
from haulier.runs.planning.handing import give
from haulier.runs.planning.worker import Task
from haulier.runs.resolving.keyless import key_search_of
from haulier.runs.resolving.resolved import Resolved

__all__ = ["given", "given_early"]


def given_early(begun: Begun, intake: Input, resolved: Resolved, facts: RunFacts) -> None:
    """Hand it a plan before it is known that a run begins: where none does, nobody looks at what it planned.

    It is let go of where this plan is made in the run's own process. A plan that the run's id or start belongs to is
    handed over when there is a run. facts: of any run with the same `params`.
    """
    if not resolved.varies and not _given(begun, intake, resolved, facts):
        begun.close()


def given(begun: Begun, intake: Input, resolved: Resolved, facts: RunFacts) -> bool:
    """Whether it has the plan of a run that begins; False where this plan is made in the run's own process."""
    if begun.given is None:
        return _given(begun, intake, resolved, facts)
    return begun.given == _version_of(
        intake
    )  # a person may have been asked meanwhile, and may have changed the file


def _given(begun: Begun, intake: Input, resolved: Resolved, facts: RunFacts) -> bool:
    if resolved.stage is not None or not isinstance(intake, Intake) or not intake.readable_elsewhere:
        return False
    if not resolved.encoder.anywhere or (resolved.algorithm is not None and not resolved.algorithm.anywhere):
        return False
    waits = resolved.program is not None or (resolved.batching is not None and resolved.batching.max_wait)
    if resolved.files or waits or key_search_of(resolved.judging(), at_once=True) is not None:
        return False
    seen = _version_of(intake)
    if seen is None:
        return False  # whoever opens it says so
    spec = msgspec.structs.replace(resolved.spec(facts), sealed=False)
    own = InputHash.of(None)  # of a run that begins
    task = Task(path=intake.name, which=seen[:2], format=intake.format, hashed_by=own, spec=spec)
    if not give(begun, task):
        return False
    begun.given = seen
    return True


def _version_of(intake: Input) -> tuple[int, int, int, int] | None:
    """Device and inode of the file that is read, then its size and when it was changed; None where it is not there."""
    try:
        file = intake.file if isinstance(intake, Intake) else None
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) if found is not None else None
