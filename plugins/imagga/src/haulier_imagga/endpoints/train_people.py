"""POST /v2/faces/recognition/{index_id}: trains an index of people; a job."""

from __future__ import annotations

from haulier_imagga.endpoints._call import DOCS, ONE_RECORD, imagga_job
from haulier_imagga.parameters import CALLBACK, PEOPLE

__all__ = ["TRAIN_PEOPLE"]

TRAIN_PEOPLE = imagga_job(
    name="train-people",
    title="Face Recognition: Train",
    description="Starts the training of an index of people; until it is done, searches do not see what was fed.",
    method="POST",
    path="/v2/faces/recognition/{index_id}",
    parameters=(PEOPLE, CALLBACK),
    notes=(ONE_RECORD,),
    verified=True,
    source=DOCS,
)
