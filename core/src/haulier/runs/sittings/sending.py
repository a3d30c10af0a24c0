"""Sending: carry records to a destination, with every one accounted for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

from haulier.errors import ConfigurationError, InputError
from haulier.model.expression import RunFacts
from haulier.plugins.registry import Registry
from haulier.runs.credentials.accounts import known_account, learned
from haulier.runs.credentials.authority import CredentialLike, authorities_of, given_to
from haulier.runs.driving.delivered import Delivered
from haulier.runs.driving.orders import Orders, outputs_of
from haulier.runs.inputs.guarded_readers import readers_of
from haulier.runs.inputs.intake import Input, Intake, RecordsLike
from haulier.runs.inputs.spools import spooled_run_key
from haulier.runs.outputs.opened import authorities_of_outputs, saved_bodies
from haulier.runs.planning.beginning import Begun
from haulier.runs.previews.coding import code_room
from haulier.runs.previews.preview import PREVIEW_RUN_ID, attribute_warnings
from haulier.runs.previews.trust import code_is_trusted
from haulier.runs.resolving.arguments import check_arguments
from haulier.runs.resolving.builtins import load_registry
from haulier.runs.resolving.resolve import resolve_stages
from haulier.runs.resolving.resolved import Resolved, place_of
from haulier.runs.resolving.site import DestinationLike, Site, site_of
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
    stages = _checked(site, registry, base_url=base_url, params=params, follow=follow)
    stages = tuple(learned(one, known_account(site, given_to(one, credential), stage=one)) for one in stages)
    authorities = authorities_of(site, stages, registry, credential)
    if not isinstance(records, Input):
        given, readers = "-" if resume else records, readers_of(registry)
        records = Intake(given, format=format, limit=limit, readers=readers, resumed=bool(resume))
    sitting = Sitting(
        Orders(
            destination=site.destination,
            stages=stages,
            registry=registry,
            authorities=authorities,
            output_authorities=authorities_of_outputs(site, outputs_of(site.destination), registry),
            root=site.root,
            state_dir=site.state_dir(),
            intake=records,
            run_key=spooled_run_key(site.state_dir(), resume) if resume else run_key,
            again=again,
            trusted=code_is_trusted(),
            params=dict(params or {}),
            on_delivery=on_delivery,
            on_start=on_start,
            follow=follow,
            leave_in_doubt=leave_in_doubt,
            beside=beside,
        )
    )
    sitting.beforehand = "\n".join(f"warning: {told}" for told in _chain_warnings(stages, records))
    return sitting


def _checked(
    site: Site, registry: Registry, *, base_url: str | None, params: Mapping[str, str] | None, follow: bool
) -> tuple[Resolved, ...]:
    """The stages of a destination, which can be run; ConfigurationError says why they cannot."""
    stages = resolve_stages(site.destination, registry, base_url=base_url)
    _check_run(stages, site, RunFacts(PREVIEW_RUN_ID, time.time(), dict(params or {})))
    if not follow:
        _check_unfollowed(stages)
    return stages


def _chain_warnings(stages: Sequence[Resolved], records: Input) -> tuple[str, ...]:
    """What a later stage reads and nothing gives: what the stages before it make would stay at the service."""
    if len(stages) == 1 or not isinstance(records, Intake):
        return ()
    try:
        return attribute_warnings(stages, records)
    except InputError:
        return ()  # the run says where its input ends


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


def _check_run(stages: Sequence[Resolved], site: Site, facts: RunFacts) -> None:
    """What an address or a missing parameter makes impossible is said here: a run that was begun would stay behind."""
    for resolved in stages:
        resolved.planner(facts)
        if (room := code_room(resolved, site.root, facts.started)) is not None:
            room.close()
        saved_bodies(resolved, site.root, facts.run_id)
