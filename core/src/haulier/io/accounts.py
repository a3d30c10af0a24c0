"""What services said of the accounts behind stored credentials: limits and quotas, no secrets. Beside the store."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import msgspec

from haulier.errors import ConfigurationError
from haulier.io.project import write_private
from haulier.io.transports.protocol import Transport
from haulier.model.parts import Account, Added, Quota
from haulier.model.request import Request, Response

__all__ = ["AccountBook", "KnownAccount", "Noting"]


class KnownAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an account. seen: when its quota was told, Unix seconds; limits: as in a destination's `limits`.

    quota_left: requests that were left then, until reset_epoch (Unix seconds) where that was told.
    """

    seen: float
    limits: dict[str, float] = {}
    quota_limit: int | None = None
    quota_left: int | None = None
    reset_epoch: float | None = None

    def left_at(self, now: float) -> int | None:
        """Requests that are left as far as is known; None where nothing holds any more."""
        if self.reset_epoch is not None and now >= self.reset_epoch:
            return None
        return self.quota_left


class AccountBook:
    """The file `accounts.json` (0600) beside a credential store; a damaged one counts as empty."""

    def __init__(self, credentials: Path) -> None:
        self._path = credentials.with_name("accounts.json")

    def get(self, name: str) -> KnownAccount | None:
        """What is known of the account behind a stored credential."""
        return self._read().get(name)

    def learn(self, name: str, account: Account) -> None:
        """A check was answered: keep what it says instead of what was known."""
        quota = account.quota
        self._write(
            name,
            KnownAccount(
                seen=time.time(),
                limits=dict(account.limits),
                quota_limit=quota.limit if quota else None,
                quota_left=quota.left if quota else None,
                reset_epoch=quota.reset_epoch if quota else None,
            ),
        )

    def note(self, name: str, quota: Quota) -> None:
        """A run saw the quota: keep it, and the limits that a check told."""
        known = self.get(name)
        self._write(
            name,
            KnownAccount(
                seen=time.time(),
                limits=known.limits if known else {},
                quota_limit=quota.limit,
                quota_left=quota.left,
                reset_epoch=quota.reset_epoch,
            ),
        )

    def forget(self, name: str) -> None:
        """The credential was removed, or replaced."""
        if self.get(name) is not None:
            self._write(name, None)

    def _read(self) -> dict[str, KnownAccount]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, KnownAccount])
        except (OSError, msgspec.MsgspecError):
            return {}

    def _write(self, name: str, account: KnownAccount | None) -> None:
        known: dict[str, KnownAccount | None] = {**self._read(), name: account}
        kept = {key: one for key, one in known.items() if one is not None}
        if self._path.parent.is_dir():
            write_private(self._path, msgspec.json.format(msgspec.json.encode(kept)) + b"\n")


class Noting:
    """A transport that notes the last quota that answers told, once it is closed.

    headers: limit, remaining, reset_epoch -> header name in lower case.
    """

    def __init__(self, transport: Transport, headers: dict[str, str], book: AccountBook, name: str) -> None:
        self._transport = transport
        self._headers = headers
        self._book, self._name = book, name
        self._last: Response | None = None

    async def send(self, request: Request, added: Added) -> Response:
        """The whole answer."""
        response = await self._transport.send(request, added)
        if response.header(self._headers["remaining"]) is not None:
            self._last = response
        return response

    async def close(self) -> None:
        """Close all connections; note what was told."""
        await self._transport.close()
        if self._last is None:
            return
        told = {word: _whole(self._last.header(name)) for word, name in self._headers.items()}
        if (left := told["remaining"]) is not None:
            quota = Quota(limit=told.get("limit"), left=left, reset_epoch=told.get("reset_epoch"))
            with suppress(ConfigurationError):  # what it keeps is of use, and no more: the run has ended well
                self._book.note(self._name, quota)


def _whole(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 15 else None
