"""GET /v2/tickets/{ticket_id}, and the results that wait to be read once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.service import Service

# https://docs.imagga.com/: a result is kept up to 24 hours, and deleted once it was read.
LIFETIME_S = 24 * 3600


@dataclass(slots=True)
class _Ticket:
    user: str
    result: Result
    polls_left: int
    expires_at: float
    read: bool = False


class Tickets:
    """Results by ticket id; each final after some polls, readable once, gone after LIFETIME_S."""

    def __init__(self) -> None:
        self._tickets: dict[str, _Ticket] = {}

    def add(self, user: str, result: Result, polls: int, now: float) -> str:
        """Keep a result that is final after `polls` polls, and return its ticket's id."""
        ticket_id = secrets.token_hex(32)
        self._tickets[ticket_id] = _Ticket(user, result, polls, now + LIFETIME_S)
        return ticket_id

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


def _ticket(service: Service, call: Call) -> Result:
    result = service.tickets.poll(call.user, call.path_values["ticket_id"], service.clock.now())
    return {"is_final": result is not None, "ticket_result": result if result is not None else {}}


ENDPOINTS = (
    Endpoint(
        path="/v2/tickets/{ticket_id}",
        methods=("GET",),
        answer=_ticket,
        mark="B",
        sources=(sources.DOCS, sources.GO_CLIENT, sources.PIPEDREAM),
        unknown="what ticket_result is before the end (here: {}), what a second read answers (here: 410)",
    ),
)
