"""What a sitting is told to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from haulier.model.destination import Destination, OutputChoice
from haulier.plugins.registry import Registry
from haulier.runs.credentials.authority import Authority
from haulier.runs.driving.delivered import Delivered
from haulier.runs.inputs.intake import Input, Intake
from haulier.runs.planning.beginning import Begun
from haulier.runs.resolving.resolved import Resolved

__all__ = ["Orders", "kept_paths", "outputs_of"]


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be carried where. run_key None: found from the input. again: repeat a finished run.

    destination: as it is written. stages: each call that it makes, one without stages; authorities: what each may send.
    output_authorities: one for each of `outputs`. params: values of `{param.x}`. on_delivery: told of each settled
    request, in the thread of the run. follow: ask for the results of what is accepted until they are there. trusted:
    whether code may leave the sandbox. leave_in_doubt: go on where a plugin that was replaced makes other bodies.
    beside: a process that can plan for it.
    """

    destination: Destination
    stages: tuple[Resolved, ...]
    registry: Registry
    authorities: tuple[Authority, ...]
    output_authorities: tuple[Authority, ...] = ()
    root: Path
    state_dir: Path
    intake: Input
    run_key: str | None = None
    again: bool = False
    trusted: bool = False
    params: Mapping[str, str] = msgspec.field(default_factory=dict)
    on_delivery: Callable[[Delivered], None] | None = None
    on_start: Callable[[str, str], None] | None = None
    follow: bool = True
    leave_in_doubt: bool = False
    beside: Begun | None = None

    @property
    def resolved(self) -> Resolved:
        """The first stage, or the only call."""
        return self.stages[0]

    @property
    def is_chain(self) -> bool:
        """Whether it has stages, if only one."""
        return self.destination.stages is not None

    @property
    def kept(self) -> dict[Path, str]:
        """Files and folders that no output may write to, each with what it is."""
        return kept_paths(self.state_dir, self.intake.file if isinstance(self.intake, Intake) else None)

    @property
    def outputs(self) -> tuple[OutputChoice, ...]:
        """All outputs: those of the chain, then those of each stage."""
        return outputs_of(self.destination)


def kept_paths(state_dir: Path, file: Path | None = None) -> dict[Path, str]:
    """What no output of a run may write to, each with what it is. file: the one that the run reads."""
    kept = {state_dir: "the folder of this destination's ledger"}
    return kept if file is None else {**kept, file: "the input of this run"}


def outputs_of(destination: Destination) -> tuple[OutputChoice, ...]:
    """All outputs of a destination: those of the chain, then those of each stage."""
    own = (output for stage in destination.stages or () for output in stage.outputs)
    return (*destination.outputs, *own)
