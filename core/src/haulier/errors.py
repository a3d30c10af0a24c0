"""Every error Haulier raises on purpose: one root, grouped by what the reader can do about it.

    HaulierError
    |-- ConfigurationError      mend the destination file, the options or the project (exit 2)
    |   |-- DestinationError    ... this destination
    |   |-- CredentialError     ... this credential
    |   |-- ExpressionError     ... this `{expression}`
    |   `-- PluginError         ... what a plugin offered
    |-- RecordError             mend one record; the others go on
    |-- InputError              the input ended early or cannot be read: mend it, run again
    |-- LedgerError             free the ledger: another process, disk, version
    |-- TransportError          nobody's fault here: a request got no answer; carries `sent`
    |-- OutputBusy              an output takes nothing just now: its lines are kept and come again
    `-- RunStopped              read the reason, mend it, run again: the run goes on where it stopped (exit 3)

A message names the thing, its place and value (never a secret), and the way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

__all__ = [
    "ConfigurationError",
    "CredentialError",
    "DestinationError",
    "ExpressionError",
    "HaulierError",
    "InputError",
    "LedgerError",
    "OutputBusy",
    "PluginError",
    "RecordError",
    "RunStopped",
    "TransportError",
]


class HaulierError(Exception):
    """The root: catching it catches everything Haulier raises on purpose."""


class ConfigurationError(HaulierError):
    """Something a person wrote does not hold; nothing was sent, but where a plugin failed in the middle of a run."""


class DestinationError(ConfigurationError):
    """A destination file or mapping does not hold."""


class CredentialError(ConfigurationError):
    """A credential is missing, incomplete, or not bound to the origin it is asked for."""


class ExpressionError(ConfigurationError):
    """An `{expression}` cannot be read, or names what does not exist."""


class PluginError(ConfigurationError):
    """A plugin could not be loaded, offered something that does not hold, or failed in the middle of a run.

    Then the run stopped, and goes on by the same call once the plugin is mended or put back.
    """


class RecordError(HaulierError):
    """One record cannot be sent as it is; the others go on.

    `each`: of a batch, the very items at fault, each with its reason; the rest of the batch goes on without them.
    Empty: the payload is refused whole.
    """

    def __init__(self, message: str, *, each: Sequence[tuple[object, str]] = ()) -> None:
        super().__init__(message)
        self.each = tuple(each)


class InputError(HaulierError):
    """The input cannot be read, or ends in the middle of a record; what was read stands."""


class LedgerError(HaulierError):
    """The ledger cannot be opened or written."""


class TransportError(HaulierError):
    """A request got no (whole) answer.

    `sent` is "no" only where the failure came before the first byte was written; everything else is "maybe".
    `status`: of an answer whose head arrived and whose body broke off; None where no head arrived. `renewed`: the
    service did not accept the token (401), and there is another one now.
    """

    def __init__(
        self, message: str, *, sent: Literal["no", "maybe"], status: int | None = None, renewed: bool = False
    ) -> None:
        super().__init__(message)
        self.sent: Literal["no", "maybe"] = sent
        self.status = status
        self.renewed = renewed


class OutputBusy(HaulierError):
    """Raised by an output that cannot take lines now; they are handed to it again, after `wait_s` seconds if given."""

    def __init__(self, message: str, *, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class RunStopped(HaulierError):
    """A run stopped before its end and can be resumed by the same call."""
