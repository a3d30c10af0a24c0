"""What is known of the account behind a credential, and what follows: limits, and a quota to plan with."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from haulier.io.accounts import AccountBook, KnownAccount, Noting
from haulier.io.transports.protocol import Transport
from haulier.model.destination import Limits
from haulier.runs.credentials.authority import Authority, CredentialLike
from haulier.runs.resolving.resolved import Resolved
from haulier.runs.resolving.site import Site

__all__ = ["known_account", "learned", "noted", "over_quota", "used_up"]


def known_account(
    site: Site, given: CredentialLike = None, *, stage: Resolved | None = None
) -> KnownAccount | None:
    """What was learned of the account behind the stored credential of a destination, of a stage, or the given one."""
    written = stage.destination.credential if stage is not None else site.destination.credential
    name = given if given is not None else written
    return AccountBook(site.credentials()).get(name) if isinstance(name, str) else None


def learned(resolved: Resolved, account: KnownAccount | None) -> Resolved:
    """With what the service said the account may do in place of its connector's cautious limits.

    What the destination says itself stays.
    """
    if account is None or not account.limits:
        return resolved
    own = resolved.destination.limits
    told = Limits.model_validate(
        {name: int(value) if name == "max_in_flight" else value for name, value in account.limits.items()}
    )
    better = {name: getattr(told, name) for name in told.model_fields_set if name not in own.model_fields_set}
    return msgspec.structs.replace(resolved, limits=resolved.limits.model_copy(update=better))


def noted(transport: Transport, stage: Resolved, authority: Authority, root: Path) -> Transport:
    """The transport of a stage of a run, with its last word of the quota kept for the next plan."""
    headers = dict(stage.connector.quota_headers)
    if not headers.get("remaining") or not authority.stored:
        return transport
    return Noting(transport, headers, AccountBook(root / ".haulier" / "credentials.json"), authority.name)


def over_quota(account: KnownAccount | None, requests: int) -> tuple[str, ...]:
    """A sentence where so many requests are more than what is left of the quota; else nothing."""
    left = account.left_at(time.time()) if account is not None else None
    if account is None or left is None or requests <= left:
        return ()
    of = f" of {account.quota_limit:,}" if account.quota_limit is not None else ""
    until = f" until {_day(account.reset_epoch)}" if account.reset_epoch is not None else ""
    return (
        f"{requests:,} requests are more than the {left:,}{of} that the account has left{until}, as of "
        f"{_day(account.seen)}: the run would stop when they are used up, and go on with the same command later",
    )


def used_up(account: KnownAccount | None) -> str:
    """A sentence where nothing is left of the quota, as far as is known; else an empty text."""
    if account is None or account.left_at(time.time()) != 0:
        return ""
    until = f" until {_day(account.reset_epoch)}" if account.reset_epoch is not None else ""
    return (
        f"nothing is left of the account's quota{until}, as of {_day(account.seen)}: the run may stop at once"
    )


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
