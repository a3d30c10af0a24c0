"""GET /v2/tickets/{ticket_id}: a result is there after some polls, and is read once."""

from __future__ import annotations

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Result
from haulier_imagga.emulator.service import Service


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
