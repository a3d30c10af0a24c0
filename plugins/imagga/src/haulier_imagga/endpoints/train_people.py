"""POST /v2/faces/recognition/{index_id}: trains an index of people; a job."""

from __future__ import annotations

from haulier_imagga.answers import TICKET, judge_job
from haulier_imagga.endpoints._call import DOCS, imagga_call
from haulier_imagga.jobs import FOLLOW
from haulier_imagga.parameters import CALLBACK, PEOPLE

__all__ = ["TRAIN_PEOPLE"]

TRAIN_PEOPLE = imagga_call(
    name="train-people",
    title="Face Recognition: Train",
    description="Starts the training of an index of people; until it is done, searches do not see what was fed.",
    method="POST",
    path="/v2/faces/recognition/{index_id}",
    parameters=(PEOPLE, CALLBACK),
    takes={"ticket_id": TICKET},
    judge=judge_job,
    ticket=TICKET,
    idempotent=False,
    follow=FOLLOW,
    notes=("One call per record: give it one record, such as {}.",),
    verified=True,
    source=DOCS,
)
