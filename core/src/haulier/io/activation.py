"""Whether a destination is on, and what its settings were when last looked at; kept in its state folder.

A destination is off until a person activates it. Activation and settings are two files, so that a run that
notes settings never writes over a `pause` that came in meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from haulier.errors import ConfigurationError
from haulier.io.credentials.redact import looks_secret, masked
from haulier.io.project import shown, write_private
from haulier.model.destination import Destination
from haulier.model.written_number import WrittenNumber, as_written, number_of, with_numbers

__all__ = [
    "Activation",
    "ActivationState",
    "activate",
    "activation",
    "changed",
    "is_paused",
    "note_settings",
    "pause",
    "settings_of",
]

ActivationState: TypeAlias = Literal["new", "active", "paused"]

_ACTIVATION = "activation.json"
_SETTINGS = "settings.json"
_STATES: Mapping[str, ActivationState] = {"active": "active", "paused": "paused"}
_ABSENT: Any = object()


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """state: `new` was never activated. since: ISO 8601, UTC, when it got there; empty where new.

    settings: as of the last activation or run (see `settings_of`); None where there was none.
    """

    state: ActivationState = "new"
    since: str = ""
    settings: Mapping[str, Any] | None = None

    @property
    def active(self) -> bool:
        """Whether the command line may run it."""
        return self.state == "active"


def activation(state_dir: Path) -> Activation:
    """Return what is known of a destination's activation; raises ConfigurationError for a damaged file."""
    written = _read(state_dir / _ACTIVATION)
    settings = _read(state_dir / _SETTINGS)
    if written is None:
        return Activation(settings=settings)
    state, since = _STATES.get(str(written.get("state"))), written.get("since")
    if state is None or not isinstance(since, str):
        raise _damaged(state_dir / _ACTIVATION)
    return Activation(state=state, since=since, settings=settings)


def activate(state_dir: Path, settings: Mapping[str, Any]) -> Activation:
    """Switch a destination on with these settings, durably; one that is on stays on, since when it was."""
    before = activation(state_dir)
    note_settings(state_dir, settings)
    if before.active:
        return Activation(state="active", since=before.since, settings=settings)
    return Activation(state="active", since=_switch(state_dir, "active"), settings=settings)


def pause(state_dir: Path) -> Activation:
    """Switch a destination off, durably; a run under way sees it by `is_paused` and stops, resumably."""
    before = activation(state_dir)
    if before.state == "paused":
        return before
    return Activation(state="paused", since=_switch(state_dir, "paused"), settings=before.settings)


def is_paused(state_dir: Path) -> bool:
    """Whether a person paused the destination; False for a new one. One small read: cheap enough to poll.

    A run begun on a paused destination (calling `send` is the act) compares `activation(...).since` instead.
    """
    written = _read(state_dir / _ACTIVATION)
    return written is not None and written.get("state") == "paused"


def note_settings(state_dir: Path, settings: Mapping[str, Any]) -> None:
    """Keep the settings a run begins with, so that the next one can say what changed."""
    text = msgspec.json.encode(as_written(settings))
    write_private(state_dir / _SETTINGS, msgspec.json.format(text, indent=1))


def settings_of(destination: Destination) -> dict[str, Any]:
    """A destination's settings as JSON values, numbers as written, without those that equal their defaults."""
    settings = destination.model_dump(mode="json", exclude_defaults=True)
    numbered: dict[str, Any] = with_numbers(settings, destination.model_dump(exclude_defaults=True))
    return numbered


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two settings, one line each: `params.language: "en" -> "no"`; [] if nothing does.

    Values whose name says that they are secret, and headers, are not shown.
    """
    return _changed("", old, new)


def _changed(prefix: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
        # By their JSON text: 1, 1.0 and true are equal in Python and not in a request.
        if _text(before) == _text(after):
            continue
        path = f"{prefix}{key}"
        if key == "headers" or (prefix and looks_secret(key)):
            lines.append(f"{path}: changed")
        elif isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += _changed(f"{path}.", before, after)
        else:
            lines.append(f"{path}: {_shown(before)} -> {_shown(after)}")
    return lines


def _text(value: Any) -> str:
    if isinstance(value, WrittenNumber):
        return value.text
    return "not set" if value is _ABSENT else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _shown(value: Any) -> str:
    return _text(value if value is _ABSENT else masked(value))


def _switch(state_dir: Path, state: ActivationState) -> str:
    since = datetime.now(UTC).isoformat(timespec="microseconds")
    write_private(state_dir / _ACTIVATION, json.dumps({"state": state, "since": since}).encode())
    return since


def _read(path: Path) -> dict[str, Any] | None:
    try:
        written = json.loads(path.read_bytes(), parse_float=number_of)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{shown(path)}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise _damaged(path) from None
    if not isinstance(written, dict):
        raise _damaged(path)
    return written


def _damaged(path: Path) -> ConfigurationError:
    return ConfigurationError(f"{shown(path)} is damaged; remove it and activate the destination again")
