"""Sending: carry records to a destination, with every one accounted for.

Here stands what is looked at first. A process that plans is handed its task as soon as that is known; what carries the
run out is imported behind that (`ordering.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from haulier.errors import ConfigurationError
from haulier.model.expression import RunFacts
from haulier.plugins.registry import Registry
from haulier.runs.inputs.guarded_readers import readers_of
from haulier.runs.inputs.intake import Input, Intake, RecordsLike
from haulier.runs.planning.choice import given_early
from haulier.runs.resolving.arguments import check_arguments
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve_stages
from haulier.runs.resolving.resolved import PREVIEW_RUN_ID, Resolved, place_of
from haulier.runs.resolving.site import DestinationLike, Site, site_of

if TYPE_CHECKING:
    from haulier.runs.credentials.authority import CredentialLike
    from haulier.runs.driving.delivered import Delivered
    from haulier.runs.planning.beginning import Begun
    from haulier.runs.sittings.sitting import Sitting

__all__ = ["MORE", "prepare"]

_MOST_OF_A_KEY = 200
MORE = ("again", "params", "base_url", "format", "limit", "resume", "follow", "leave_in_doubt")


def prepare(
    destination: DestinationLike,
    records: RecordsLike | Input,
    *,
    run_key: str | None = None,
    credential: CredentialLike = None,
    state: str | os.PathLike[str] | None = None,
    on_delivery: Callable[[Delivered], None] | None = None,
    again: bool = False,
    params: Mapping[str, str] | None = None,
    base_url: str | None = None,
    format: str | None = None,
    limit: int | None = None,
    on_start: Callable[[str, str], None] | None = None,
    resume: str | None = None,
    follow: bool = True,
    leave_in_doubt: bool = False,
    beside: Begun | None = None,
) -> Sitting:
    """Everything checked, nothing sent: what `send` does before it begins.

    resume: id of a run whose standard input broke off or that stopped; it goes on with what it had read.
    beside: a process that can plan for it.
    """
    check_arguments(
        run_key=run_key, credential=credential, on_delivery=on_delivery, again=again, params=params
    )
    check_arguments(base_url=base_url, format=format, limit=limit, resume=resume, follow=follow)
    check_arguments(leave_in_doubt=leave_in_doubt)
    _check_run_key(run_key)
    site = site_of(destination, state=state)
    registry = load_registry()
    facts = RunFacts(PREVIEW_RUN_ID, time.time(), dict(params or {}))
    stages = _checked(site, registry, facts, base_url=base_url, follow=follow)
    if not isinstance(records, Input):
        given, readers = "-" if resume else records, readers_of(registry)
        records = Intake(given, format=format, limit=limit, readers=readers, resumed=bool(resume))
    if beside is not None:
        given_early(beside, records, stages[0], facts)
    # It sets to work while this is imported, which takes a while.
    from haulier.runs.sittings.ordering import ordered  # noqa: PLC0415

    return ordered(
        site,
        stages,
        registry,
        records,
        facts,
        credential=credential,
        resume=resume,
        run_key=run_key,
        again=again,
        on_delivery=on_delivery,
        on_start=on_start,
        follow=follow,
        leave_in_doubt=leave_in_doubt,
        beside=beside,
    )


def _checked(
    site: Site, registry: Registry, facts: RunFacts, *, base_url: str | None, follow: bool
) -> tuple[Resolved, ...]:
    """The stages of a destination, which can be run; ConfigurationError says why they cannot.

    What an address or a missing parameter makes impossible is said here: a run that was begun would stay behind.
    """
    stages = resolve_stages(site.destination, registry, base_url=base_url)
    for resolved in stages:
        resolved.planner(facts)
    if not follow:
        _check_unfollowed(stages)
    return stages


def _check_run_key(run_key: str | None) -> None:
    if run_key == "":
        raise ConfigurationError("the run key is empty; give it a value, or leave it out")
    if run_key is not None and (len(run_key) > _MOST_OF_A_KEY or not run_key.isprintable()):
        raise ConfigurationError(
            f"the run key {run_key[:40]!r} has {len(run_key):,} characters; it may have {_MOST_OF_A_KEY}, on one line, "
            "all of them printable"
        )


def _check_unfollowed(stages: Sequence[Resolved]) -> None:
    """What a stage waits for comes with the result of a job only."""
    for one in stages[:-1]:
        if one.template is not None and one.template.follow is not None:
            raise ConfigurationError(
                f"{place_of(one.destination, one.stage)}: answers with a ticket, and the stages behind it wait for its "
                "result: leave --no-follow (follow=False) out"
            )
