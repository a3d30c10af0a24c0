"""Whether a plan can be made in another process."""

from __future__ import annotations

import msgspec

from haulier.model.expression import RunFacts
from haulier.runs.inputs.intake import Input, Intake
from haulier.runs.planning.process import PlannerProcess
from haulier.runs.planning.worker import Task
from haulier.runs.resolving.keyless import key_search_of
from haulier.runs.resolving.resolved import Resolved

__all__ = ["given"]


def given(process: PlannerProcess, intake: Input, resolved: Resolved, facts: RunFacts) -> bool:
    """Hand it the plan of a run that begins; False where this plan is made in the run's own process."""
    if resolved.stage is not None or not isinstance(intake, Intake) or not intake.readable_elsewhere:
        return False
    if not resolved.encoder.anywhere or (resolved.algorithm is not None and not resolved.algorithm.anywhere):
        return False
    waits = resolved.program is not None or (resolved.batching is not None and resolved.batching.max_wait)
    if resolved.files or waits or key_search_of(resolved.judging(), at_once=True) is not None:
        return False
    spec = msgspec.structs.replace(resolved.spec(facts), sealed=False)
    assert intake.file is not None
    try:
        seen = intake.file.stat()
    except OSError:
        return False  # whoever opens it says so
    which = (seen.st_dev, seen.st_ino)
    return process.give(Task(path=intake.name, which=which, format=intake.format, spec=spec))
