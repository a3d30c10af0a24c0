"""Bytes changed by a person in their editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from haulier.cli.streams import results

__all__ = ["edited"]


def edited(content: bytes) -> bytes:
    """The content as the editor of $VISUAL or $EDITOR, else vi, left it in a file: byte for byte what it did not touch.

    A line feed that the editor put behind a last line without one is taken off again. Raises UsageError, with the
    variable and its value, where the editor cannot be run, fails, or leaves no file, and where it would be vi without a
    terminal to type at: it would wait for ever and show nothing.
    """
    name = next((name for name in ("VISUAL", "EDITOR") if os.environ.get(name, "").strip()), "")
    if not name and not (sys.stdin.isatty() and results().isatty()):
        raise click.UsageError(
            "--edit needs a terminal, or an editor in $EDITOR; without one use --payload FILE"
        )
    value = os.environ[name] if name else "vi"
    told = f"${name} is {value!r}" if name else "neither $VISUAL nor $EDITOR is set, so vi was tried"
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise click.UsageError(f"{told}, which is no command ({error}); mend the quotes") from None
    with tempfile.TemporaryDirectory(prefix="haulier-") as folder:
        path = Path(folder) / "body.txt"
        path.write_bytes(content)
        try:
            status = subprocess.run([*words, str(path)], check=False).returncode  # noqa: S603 - their own editor
        except (OSError, ValueError) as error:
            raise click.UsageError(f"{told}, which cannot be run: {error}") from None
        if status:
            raise click.UsageError(f"{told}, which ended with status {status}; nothing was sent")
        try:
            changed = path.read_bytes()
        except OSError as error:
            raise click.UsageError(
                f"{told}, which left no file that can be read ({error.strerror}); nothing was sent"
            ) from None
    if content.endswith(b"\n"):
        return changed
    ending = b"\r\n" if b"\r\n" in content and changed.endswith(b"\r\n") else b"\n"
    return changed.removesuffix(ending)
