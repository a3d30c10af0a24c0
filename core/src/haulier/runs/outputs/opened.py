"""The outputs of a run: opened, each in a thread of its own, and what each of them wishes to be told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from haulier.errors import DestinationError
from haulier.io.doors import RunDoors
from haulier.io.files import FileRoom
from haulier.io.reserved import refused
from haulier.io.saving import SavedBodies, Saving
from haulier.io.transports.choose import open_transport
from haulier.io.transports.protocol import Transport
from haulier.model.destination import OutputChoice
from haulier.model.parts import Settings
from haulier.plugins.registry import Registry
from haulier.runs.credentials.authority import Authority, authority_of_output
from haulier.runs.driving.orders import Orders
from haulier.runs.outputs.joined import Joined, Wish
from haulier.runs.outputs.joining import Joining, Lines
from haulier.runs.outputs.served import Served
from haulier.runs.resolving.guarding import guard_of
from haulier.runs.resolving.resolved import Resolved
from haulier.runs.resolving.shape import item_of, sends_attribute, shape_of
from haulier.runs.resolving.site import Site

__all__ = [
    "answers_are_kept",
    "authorities_of_outputs",
    "check_files_roots",
    "close_outputs",
    "joined_of",
    "lines_of",
    "open_outputs",
    "saved_bodies",
    "sends",
    "settings_of_output",
    "transport_of",
]


async def open_outputs(
    choices: Sequence[OutputChoice],
    registry: Registry,
    root: Path,
    authorities: Sequence[Authority],
    *,
    place: str,
    kept: Mapping[Path, str] | None = None,
) -> list[Served]:
    """The outputs in their order; those that are open already are closed where one cannot be.

    authorities: of each output, what it may authenticate requests with. kept: files and folders that none may write to,
    each with what it is. place: how messages name the destination.
    """
    opened: list[Served] = []
    try:
        for number, (choice, authority) in enumerate(zip(choices, authorities, strict=True), 1):
            kind = registry.output(choice.to)
            settings = settings_of_output(registry, choice)
            doors = RunDoors(
                root, kept=kept, credential=authority.credential, authorize=authority.authorize()
            )
            served = Served(number, kind.name, doors, guard_of(registry, kind, place=place))
            opened.append(served)
            await served.open(partial(kind.factory, settings))
    except BaseException:
        await close_outputs(opened)
        raise
    return opened


async def close_outputs(outputs: Sequence[Served]) -> None:
    """Let all of them go; raises what the first one raised that could not be closed."""
    for ended in await asyncio.gather(*(output.close() for output in outputs), return_exceptions=True):
        if ended is not None:
            raise ended


def authorities_of_outputs(
    site: Site, choices: Sequence[OutputChoice], registry: Registry
) -> tuple[Authority, ...]:
    """What each output may authenticate its requests with; CredentialError where that may not go where it is to go."""
    return tuple(
        authority_of_output(
            site, registry, settings_of_output(registry, choice), place=f"outputs {choice.to}"
        )
        for choice in choices
    )


def settings_of_output(registry: Registry, choice: OutputChoice) -> Settings:
    """What was written for an output, with the defaults of its type; resolving the destination has checked it."""
    return registry.output(choice.to).settings.model_validate(choice.settings)


def answers_are_kept(resolved: Resolved, registry: Registry) -> bool:
    """Whether what the body of an answer says is carried on by an output, or saved."""
    takes = bool(resolved.template and resolved.template.takes)
    chosen = resolved.destination.outputs
    return resolved.destination.save_body is not None or any(
        takes or getattr(settings_of_output(registry, one), "answer", False) for one in chosen
    )


def saved_bodies(resolved: Resolved, root: Path, run_id: str) -> SavedBodies | None:
    """Where answers that are files go; None where they are not kept. DestinationError for a folder that is no place."""
    destination = resolved.destination
    if destination.save_body is None:
        return None
    if reason := refused(root, destination.save_body):
        raise DestinationError(f"save_body: {reason}")
    return SavedBodies(root, destination.save_body, run_id, destination.key)


def check_files_roots(orders: Orders) -> None:
    """Refuse a `files_root` that will not do, as long as no run has begun; ConfigurationError."""
    for stage in orders.stages:
        if stage.files and stage.destination.files_root is not None:
            FileRoom((orders.root / stage.destination.files_root).resolve(), stage.destination.max_file_bytes)


def transport_of(resolved: Resolved, *, in_flight: int, saved: SavedBodies | None = None) -> Transport:
    """What sends the requests of a stage; where answers are files, they are on the disk before it returns one."""
    transport = open_transport(
        resolved.destination.transport,
        in_flight=in_flight,
        timeout_s=resolved.destination.timeout_s,
        origin=resolved.address.origin,
    )
    return Saving(transport, saved) if saved is not None else transport


def sends(resolved: Resolved) -> Callable[[str], bool]:
    """What tells of an attribute of a record whether it is sent."""
    item = item_of(resolved.batching)
    shape = shape_of(resolved.destination)
    items = item.paths if item is not None else ()
    used = frozenset(path[0] for path in (*resolved.record_paths, *items))
    all_sent = resolved.attributes != "none" and item is None
    return lambda name: name in used or (all_sent and sends_attribute(shape, name))


def joined_of(orders: Orders, run_id: str) -> Joined | None:
    """The lines that the outputs of a chain are told; None where it has none."""
    if not (orders.is_chain and orders.destination.outputs):
        return None
    senders = [sends(stage) for stage in orders.stages]
    settings = [settings_of_output(orders.registry, choice) for choice in orders.destination.outputs]
    return Joined(
        [
            Wish(
                frozenset(getattr(one, "include", None) or ()),
                bool(getattr(one, "answer", False)),
            )
            for one in settings
        ],
        conditions=[getattr(one, "when", None) for one in settings],
        run_id=run_id,
        key=orders.destination.key,
        takes={stage.name: stage.template.takes if stage.template else {} for stage in orders.stages},
        sent=lambda name: any(sender(name) for sender in senders),
    )


def lines_of(
    resolved: Resolved,
    registry: Registry,
    run_id: str,
    saved: SavedBodies | None = None,
    *,
    first: int = 0,
) -> Lines | None:
    """What the outputs of a run are told; None where it has none. saved: where its answers' files are.

    first: number of the first of them, from 0.
    """
    destination = resolved.destination
    if not destination.outputs:
        return None
    sent = sends(resolved)
    chosen = [settings_of_output(registry, choice) for choice in destination.outputs]
    return Lines(
        [
            Joining(
                run_id=run_id,
                key=destination.key,
                takes=resolved.template.takes if resolved.template else {},
                sent=sent,
                single=resolved.batching is None,
                saved=saved.path_of if saved is not None else None,
                include=frozenset(getattr(settings, "include", None) or ()),
                answer=bool(getattr(settings, "answer", False)),
            )
            for settings in chosen
        ],
        [getattr(settings, "when", None) for settings in chosen],
        first=first,
    )
