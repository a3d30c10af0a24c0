"""The state all endpoints share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from haulier.testing.emulator import Clock, Limits
from haulier_imagga.emulator.account import Account
from haulier_imagga.emulator.holdings import Faces, Index, Indexes, Tickets, Uploads


@dataclass(frozen=True, slots=True)
class Settings:
    """How the emulator behaves where the service's way is set by an account or not known.

    A ticket is final after `polls` answers that are not. `unverified_inputs` takes images in places no source
    shows to work. `any_face_id` takes faces that were never detected here. `free_plan` refuses what only paid plans
    cover.
    """

    polls: int = 2
    unverified_inputs: bool = False
    any_face_id: bool = False
    free_plan: bool = False


@dataclass(slots=True)
class Service:
    """Accounts by API key, what they hold, and the clock they live by. Used by the server's thread only."""

    clock: Clock
    limits: Limits
    settings: Settings
    accounts: Mapping[str, Account]
    uploads: Uploads
    faces: Faces
    tickets: Tickets
    people: Indexes
    pictures: Indexes
    in_flight: Callable[[], int]

    def started(self, user: str, result: dict[str, Any]) -> dict[str, Any]:
        """The answer to a call that starts a job of this user. result: what it comes to."""
        return {"ticket_id": self.tickets.add(user, result, self.settings.polls, self.clock.now())}

    def training(self, user: str, index: Index) -> dict[str, Any]:
        """The answer to a call that starts the training of an index."""
        index.train()
        return self.started(user, {"trained": len(index.trained)})
