"""What accounts have left with the service: uploads, faces, jobs, people, and indexes of pictures."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from haulier_imagga.emulator.picture import Picture
from haulier_imagga.emulator.refusal import Refusal, Result

__all__ = ["Faces", "Index", "Indexes", "Tickets", "Uploads", "taken_out"]

# https://docs.imagga.com/ and https://github.com/mb243/imagga-tool
UPLOAD_LIFETIME_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class _Upload:
    user: str
    picture: Picture
    expires_at: float


class Uploads:
    """Uploaded pictures by id (hash and size, not bytes), each usable for UPLOAD_LIFETIME_S by its account."""

    def __init__(self) -> None:
        self._uploads: dict[str, _Upload] = {}
        self._deleted: dict[str, str] = {}

    def add(self, user: str, picture: Picture, now: float) -> str:
        """Keep a picture and return its new id."""
        # The beginning and the length are those of ids in public fixtures.
        upload_id = f"i05e{secrets.token_hex(14)}"
        self._uploads[upload_id] = _Upload(user, picture, now + UPLOAD_LIFETIME_S)
        return upload_id

    def get(self, user: str, upload_id: str, now: float) -> Picture:
        """The picture of an id; a Refusal with 410 once it expired or was deleted, 404 when it never was."""
        upload = self._uploads.get(upload_id)
        if self._deleted.get(upload_id) == user:
            raise Refusal(410, f"upload {upload_id!r} was deleted")
        if upload is None or upload.user != user:
            raise Refusal(404, f"there is no upload {upload_id!r}")
        if now >= upload.expires_at:
            raise Refusal(410, f"upload {upload_id!r} has expired")
        return upload.picture

    def delete(self, user: str, upload_id: str, now: float) -> None:
        """Forget a picture; refused as `get` refuses."""
        self.get(user, upload_id, now)
        del self._uploads[upload_id]
        self._deleted[upload_id] = user


# https://docs.imagga.com/: a result is kept up to 24 hours, and deleted once it was read.
TICKET_LIFETIME_S = 24 * 3600


@dataclass(slots=True)
class _Ticket:
    user: str
    result: Result
    polls_left: int
    expires_at: float
    read: bool = False


class Tickets:
    """Results by ticket id; each final after some polls, readable once, gone after TICKET_LIFETIME_S."""

    def __init__(self) -> None:
        self._tickets: dict[str, _Ticket] = {}

    def add(self, user: str, result: Result, polls: int, now: float) -> str:
        """Keep a result that is final after `polls` polls, and return its ticket's id."""
        ticket_id = secrets.token_hex(32)
        self._tickets[ticket_id] = _Ticket(user, result, polls, now + TICKET_LIFETIME_S)
        return ticket_id

    def finish(self) -> None:
        """Let every job be done: the next answer is final."""
        for ticket in self._tickets.values():
            ticket.polls_left = 0

    def poll(self, user: str, ticket_id: str, now: float) -> Result | None:
        """The result, None before it is final; Refusal 404 for an unknown ticket, 410 for a gone one."""
        ticket = self._tickets.get(ticket_id)
        if ticket is None or ticket.user != user:
            raise Refusal(404, f"there is no ticket {ticket_id!r}")
        if ticket.read or now >= ticket.expires_at:
            raise Refusal(410, f"the result of ticket {ticket_id!r} was read already or has expired")
        if ticket.polls_left > 0:
            ticket.polls_left -= 1
            return None
        ticket.read = True
        return ticket.result


class Faces:
    """The ids handed out, by account."""

    def __init__(self) -> None:
        self._ids: set[tuple[str, str]] = set()

    def add(self, user: str, face_id: str) -> None:
        """Make an id usable in later calls."""
        self._ids.add((user, face_id))

    def __contains__(self, user_and_id: tuple[str, str]) -> bool:
        return user_and_id in self._ids


@dataclass(slots=True)
class Index:
    """What was fed by name, and what of it searches see: that of the last training."""

    fed: dict[str, list[str]] = field(default_factory=dict)
    trained: dict[str, list[str]] = field(default_factory=dict)

    def train(self) -> None:
        """Let searches see what was fed until now."""
        self.trained = {name: list(values) for name, values in self.fed.items()}


class Indexes:
    """Indexes by account and name: of people with face ids, or of pictures with what is drawn from them."""

    def __init__(self) -> None:
        self._indexes: dict[tuple[str, ...], Index] = {}

    def made(self, *names: str) -> Index:
        """The index of this account and these names, made where it is missing."""
        return self._indexes.setdefault(names, Index())

    def get(self, *names: str) -> Index:
        """The index; a Refusal with 404 where there is none."""
        try:
            return self._indexes[names]
        except KeyError:
            raise Refusal(404, f"there is no index {names[-1]!r}") from None

    def delete(self, *names: str) -> None:
        """Forget an index; refused as `get` refuses."""
        self.get(*names)
        del self._indexes[names]


def taken_out(values: dict[str, list[str]], name: str, what: str) -> list[str]:
    """What stood under a name, which is gone then; a Refusal with 404 where there is nothing."""
    if name not in values:
        raise Refusal(404, f"there is no {what} {name!r} in this index")
    return values.pop(name)
