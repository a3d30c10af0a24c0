"""Switching destinations on and off, and the gate that the command line passes before a run."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from haulier.errors import ConfigurationError
from haulier.io.activation import (
    ActivationState,
    activate,
    activation,
    changed,
    note_settings,
    pause,
    settings_of,
)
from haulier.runs.resolving.site import DestinationLike, Site, site_of

__all__ = ["Gate", "Switched", "gate", "switch_off", "switch_on"]


class Switched(msgspec.Struct, frozen=True, kw_only=True):
    """How a destination is switched now. since: ISO 8601, UTC; changed: its settings since they were last noted."""

    destination: str
    state: ActivationState
    since: str
    changed: tuple[str, ...] = ()


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The way to a run. changed: settings since the last run or activation, one line each; `enter` goes through."""

    site: Site
    state_dir: Path
    activate: bool
    changed: tuple[str, ...]

    def enter(self) -> None:
        """Activate where that was asked for, and note the settings this run begins with."""
        settings = settings_of(self.site.destination)
        if self.activate:
            activate(self.state_dir, settings)
        else:
            note_settings(self.state_dir, settings)


def gate(
    destination: DestinationLike, *, state: str | os.PathLike[str] | None = None, activate: bool = False
) -> Gate:
    """Pass where a destination is active, or is to be activated now; else ConfigurationError says how."""
    site = site_of(destination, state=state)
    folder = site.state_dir()
    now = activation(folder)
    name = site.destination.name
    if not now.active and not activate:
        why = f"was paused {now.since}" if now.state == "paused" else "was never activated"
        option = f" --state {os.fspath(state)}" if state is not None else ""
        raise ConfigurationError(
            f"destination `{name}` {why}, so nothing is sent; switch it on with: haulier activate {name}{option}"
        )
    return Gate(
        site=site, state_dir=folder, activate=activate and not now.active, changed=_since(now.settings, site)
    )


def switch_on(destination: DestinationLike, *, state: str | os.PathLike[str] | None = None) -> Switched:
    """Activate a destination."""
    site = site_of(destination, state=state)
    folder = site.state_dir()
    before = activation(folder)
    now = activate(folder, settings_of(site.destination))
    return Switched(
        destination=site.destination.name,
        state=now.state,
        since=now.since,
        changed=_since(before.settings, site),
    )


def switch_off(destination: DestinationLike, *, state: str | os.PathLike[str] | None = None) -> Switched:
    """Pause a destination; a run under way sees it within a second and stops, resumably."""
    site = site_of(destination, state=state)
    now = pause(site.state_dir())
    return Switched(destination=site.destination.name, state=now.state, since=now.since)


def _since(settings: object, site: Site) -> tuple[str, ...]:
    if not isinstance(settings, dict):
        return ()
    return tuple(changed(settings, settings_of(site.destination)))
