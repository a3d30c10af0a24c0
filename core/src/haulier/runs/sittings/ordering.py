"""What was found and checked becomes the orders of a sitting: with what may be shown to whom, and where all is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from haulier.errors import InputError
from haulier.model.expression import RunFacts
from haulier.plugins.registry import Registry
from haulier.runs.credentials.accounts import known_account, learned
from haulier.runs.credentials.authority import CredentialLike, authorities_of, given_to
from haulier.runs.driving.orders import Orders, outputs_of
from haulier.runs.inputs.intake import Input, Intake
from haulier.runs.inputs.spools import spooled_run_key
from haulier.runs.outputs.opened import authorities_of_outputs, saved_bodies
from haulier.runs.previews.coding import code_room
from haulier.runs.previews.trust import code_is_trusted
from haulier.runs.resolving.resolved import Resolved
from haulier.runs.resolving.site import Site
from haulier.runs.sittings.sitting import Sitting

__all__ = ["ordered"]


def ordered(
    site: Site,
    stages: Sequence[Resolved],
    registry: Registry,
    intake: Input,
    facts: RunFacts,
    *,
    credential: CredentialLike,
    resume: str | None,
    run_key: str | None,
    **more: Any,
) -> Sitting:
    """The sitting that carries records to a destination; ConfigurationError for what is wrong with the rest of it.

    facts: stand for those of the run. resume: see `prepare`. more: of the orders.
    """
    _check_places(stages, site, facts)
    stages = tuple(learned(one, known_account(site, given_to(one, credential), stage=one)) for one in stages)
    authorities = authorities_of(site, stages, registry, credential)
    sitting = Sitting(
        Orders(
            destination=site.destination,
            stages=stages,
            registry=registry,
            authorities=authorities,
            output_authorities=authorities_of_outputs(site, outputs_of(site.destination), registry),
            root=site.root,
            state_dir=site.state_dir(),
            intake=intake,
            run_key=spooled_run_key(site.state_dir(), resume) if resume else run_key,
            trusted=code_is_trusted(),
            params=facts.params,
            **more,
        )
    )
    sitting.beforehand = "\n".join(f"warning: {told}" for told in _chain_warnings(stages, intake))
    return sitting


def _chain_warnings(stages: Sequence[Resolved], records: Input) -> tuple[str, ...]:
    """What a later stage reads and nothing gives: what the stages before it make would stay at the service."""
    if len(stages) == 1 or not isinstance(records, Intake):
        return ()
    from haulier.runs.previews.preview import attribute_warnings  # noqa: PLC0415 - few runs are of chains

    try:
        return attribute_warnings(stages, records)
    except InputError:
        return ()  # the run says where its input ends


def _check_places(stages: Sequence[Resolved], site: Site, facts: RunFacts) -> None:
    """Code that cannot be run, or a folder that is no place for answers, is said before a run is begun, too."""
    for resolved in stages:
        if (room := code_room(resolved, site.root, facts.started)) is not None:
            room.close()
        saved_bodies(resolved, site.root, facts.run_id)
