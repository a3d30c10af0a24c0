"""What a sitting is told to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from haulier.plugins.registry import Registry
from haulier.runs.authority import Authority
from haulier.runs.book import Delivered
from haulier.runs.intake import Input
from haulier.runs.resolved import Resolved

__all__ = ["Orders"]


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What is to be carried where. run_key None: found from the input. again: repeat a finished run.

    output_authorities: one for each output. params: values of `{param.x}`. on_delivery: told of each settled request,
    in the thread of the run. follow: ask for the results of what is accepted until they are there.
    trusted: whether code may leave the sandbox.
    """

    resolved: Resolved
    registry: Registry
    authority: Authority
    output_authorities: tuple[Authority, ...] = ()
    root: Path
    state_dir: Path
    intake: Input
    run_key: str | None = None
    again: bool = False
    trusted: bool = False
    params: Mapping[str, str] = field(default_factory=dict)
    on_delivery: Callable[[Delivered], None] | None = None
    on_start: Callable[[str, str], None] | None = None
    follow: bool = True
