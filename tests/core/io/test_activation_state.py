"""Activation: off until switched on, kept apart from settings, and a pause is never lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from haulier.errors import ConfigurationError
from haulier.io.activation import (
    Activation,
    activate,
    activation,
    changed,
    is_paused,
    note_settings,
    pause,
    settings_of,
)
from haulier.model.destination import Destination


def test_a_destination_is_off_until_it_is_activated(tmp_path: Path) -> None:
    assert activation(tmp_path) == Activation(state="new", since="", settings=None)
    assert not activation(tmp_path).active
    assert not is_paused(tmp_path)


def test_activate_and_pause_are_kept_with_the_settings(tmp_path: Path) -> None:
    on = activate(tmp_path, {"endpoint": "x"})
    assert (on.state, on.settings, on.active) == ("active", {"endpoint": "x"}, True)
    assert activation(tmp_path) == on
    off = pause(tmp_path)
    assert (off.state, off.settings, off.active) == ("paused", {"endpoint": "x"}, False)
    assert activation(tmp_path) == off
    assert on.since < off.since
    assert is_paused(tmp_path)


def test_activating_again_keeps_since_when_and_takes_the_new_settings(tmp_path: Path) -> None:
    first = activate(tmp_path, {"endpoint": "x"})
    again = activate(tmp_path, {"endpoint": "y"})
    assert again == Activation(state="active", since=first.since, settings={"endpoint": "y"})
    assert activation(tmp_path) == again
    assert pause(tmp_path) == pause(tmp_path)


def test_noting_settings_neither_activates_nor_undoes_a_pause(tmp_path: Path) -> None:
    """A run notes its settings at any time; a pause that comes in between must stand."""
    note_settings(tmp_path, {"endpoint": "x"})
    assert activation(tmp_path) == Activation(state="new", settings={"endpoint": "x"})
    assert not is_paused(tmp_path)
    pause(tmp_path)
    note_settings(tmp_path, {"endpoint": "y"})
    assert is_paused(tmp_path)
    assert activation(tmp_path).settings == {"endpoint": "y"}


@pytest.mark.skipif(os.name != "posix", reason="mode bits are POSIX's")
def test_both_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    activate(tmp_path, {})
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "activation.json": 0o600,
        "settings.json": 0o600,
    }


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"state": "on", "since": ""}', '{"state": "active"}']
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "activation.json").write_text(content)
    with pytest.raises(ConfigurationError, match=r"activation\.json is damaged; remove it and activate"):
        activation(tmp_path)


def test_what_changed_is_said_line_by_line() -> None:
    old = {
        "endpoint": "tag",
        "params": {"language": "en", "n": 1, "gone": "x"},
        "exclude": ["a"],
        "key": "sku",
    }
    new = {"endpoint": "tag", "params": {"language": "no", "n": 1.0}, "exclude": ["a", "b"], "timeout_s": 5.0}
    assert changed(old, new) == [
        'params.language: "en" -> "no"',
        "params.n: 1 -> 1.0",
        'params.gone: "x" -> not set',
        'exclude: ["a"] -> ["a", "b"]',
        'key: "sku" -> not set',
        "timeout_s: not set -> 5.0",
    ]
    assert changed(old, old) == []


def test_what_may_be_a_secret_is_not_shown() -> None:
    old = {"headers": "a:77", "params": {"api_key": "77"}, "outputs": [{"to": "x", "token": "77"}]}
    new = {"headers": "a:88", "params": {"api_key": "88"}, "outputs": [{"to": "y", "token": "88"}]}
    assert changed(old, new) == [
        "headers: changed",
        "params.api_key: changed",
        'outputs: [{"to": "x", "token": "[secret]"}] -> [{"to": "y", "token": "[secret]"}]',
    ]


def test_a_default_that_is_written_out_is_no_change(tmp_path: Path) -> None:
    short = Destination(name="x", endpoint="e")
    long = Destination(name="x", endpoint="e", timeout_s=30, verdicts={}, exclude=[])
    assert settings_of(short) == settings_of(long) == {"endpoint": "e"}
    noted = settings_of(Destination(name="x", endpoint="e", verdicts={500: "rejected"}))
    note_settings(tmp_path, noted)
    assert activation(tmp_path).settings == noted
