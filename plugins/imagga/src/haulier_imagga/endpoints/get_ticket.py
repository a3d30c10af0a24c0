"""GET /v2/tickets/{ticket_id}: how far an asynchronous job is, and once, its result."""

from __future__ import annotations

from haulier_imagga.endpoints._call import imagga_call
from haulier_imagga.parameters import in_path

__all__ = ["GET_TICKET"]

GET_TICKET = imagga_call(
    name="get-ticket",
    title="Get Async Job Ticket",
    description="Asks for one job per record; `is_final` tells whether `ticket_result` is there.",
    method="GET",
    path="/v2/tickets/{ticket_id}",
    parameters=(
        in_path(
            name="ticket_id",
            description="The `ticket_id` that group-faces took out of its answer.",
            example="{record.ticket_id}",
        ),
    ),
    takes={"is_final": "/result/is_final", "ticket_result": "/result/ticket_result"},
    # A final result is deleted once it was answered, so asking again is answered with 410.
    idempotent=False,
    idempotency_key=False,
    notes=(
        (
            "A final result can be read once: Imagga deletes it when it was answered, and 24 hours "
            "after the job ended."
        ),
        "An answer with `is_final: false` counts as delivered: the question was answered. Ask again later.",
        (
            "What a face grouping's `ticket_result.groups` looks like was not established; it is "
            "passed on untouched."
        ),
    ),
    verified=True,
    source="https://docs.imagga.com/",
)
