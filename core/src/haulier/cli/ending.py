"""How a command ends: exit codes, and one message for each error."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from haulier.cli.printing import say
from haulier.cli.streams import Unwritten, drop_output, flush_output
from haulier.errors import HaulierError, RunStopped, TransportError

__all__ = [
    "CONFIGURATION",
    "DELIVERED",
    "INTERNAL",
    "INTERRUPTED",
    "IN_DOUBT",
    "REJECTED",
    "STOPPED",
    "carry_out",
]

DELIVERED = 0
INTERNAL = 1
CONFIGURATION = 2
STOPPED = 3
REJECTED = 4
IN_DOUBT = 5
INTERRUPTED = 130
_BROKEN_PIPE = 141


def carry_out(arguments: Sequence[str] | None) -> int:
    """Run one command, and write out what it printed; its exit code."""
    code: int | None = None
    try:
        code = _ended(arguments)
        flush_output()
    except Unwritten as error:
        drop_output()
        if error.left:
            return _BROKEN_PIPE if code is None else code
        say(f"haulier: {error}")
        return code or INTERNAL
    return code


def _ended(arguments: Sequence[str] | None) -> int:
    from haulier.cli.app import haulier

    try:
        code = haulier.main(
            list(arguments) if arguments is not None else None, prog_name="haulier", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return CONFIGURATION
    except (click.Abort, KeyboardInterrupt):
        say("haulier: interrupted")
        return INTERRUPTED
    except Unwritten:
        raise
    except HaulierError as error:
        say(f"haulier: {error}")
        return STOPPED if isinstance(error, RunStopped | TransportError) else CONFIGURATION
    except BrokenPipeError:
        return _BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last net: a person gets one line, not a traceback
        return _internal(error)
    return code if isinstance(code, int) else DELIVERED


def _internal(error: Exception) -> int:
    """Say what went wrong inside: kind and place only, as the text may hold what must not be shown."""
    import traceback
    from pathlib import Path

    if os.environ.get("HAULIER_DEBUG") == "1":
        traceback.print_exception(error)
        return INTERNAL
    last = traceback.extract_tb(error.__traceback__)[-1]
    say(
        f"haulier: internal error: {type(error).__name__} at {Path(last.filename).name}:{last.lineno}. "
        "Records are safe: run the same command again. Please report it with the traceback that "
        "HAULIER_DEBUG=1 shows (look it through for secrets first)."
    )
    return INTERNAL
