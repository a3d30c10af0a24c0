"""PUT and DELETE below /v2/similar-images: indexes of visual search are trained, emptied and deleted."""

from __future__ import annotations

from haulier_imagga.answers import judge_delete
from haulier_imagga.endpoints._call import DOCS, ONE_RECORD, imagga_call, imagga_job
from haulier_imagga.parameters import CALLBACK, ENTRY, INDEX, SIMILAR_BY

__all__ = ["DELETE_SIMILAR_ENTRY", "DELETE_SIMILAR_INDEX", "TRAIN_SIMILAR_IMAGES"]

_PATH = "/v2/similar-images/categories/{categorizer_id}/{index_id}"

TRAIN_SIMILAR_IMAGES = imagga_job(
    name="train-similar-images",
    title="Visual Search: Train",
    description="Starts the training of an index of visual search; until it is done, searches do not see what was fed.",
    method="PUT",
    path=_PATH,
    parameters=(SIMILAR_BY, INDEX, CALLBACK),
    notes=(ONE_RECORD,),
    verified=True,
    source=DOCS,
)

DELETE_SIMILAR_ENTRY = imagga_call(
    name="delete-similar-entry",
    title="Visual Search: Delete an Image",
    description="Takes the picture of each record out of an index of visual search.",
    method="DELETE",
    path=f"{_PATH}/{{entry_id}}",
    parameters=(SIMILAR_BY, INDEX, ENTRY),
    judge=judge_delete,
    irreversible="A deleted picture must be fed, and the index trained, again.",
    verified=True,
    source=DOCS,
)

DELETE_SIMILAR_INDEX = imagga_call(
    name="delete-similar-index",
    title="Visual Search: Delete an Index",
    description="Deletes a whole index of visual search; takes nothing from records unless told to.",
    method="DELETE",
    path=_PATH,
    parameters=(SIMILAR_BY, INDEX),
    judge=judge_delete,
    irreversible="A deleted index is lost with everything that was fed: all pictures must be sent again.",
    notes=(ONE_RECORD,),
    verified=True,
    source=DOCS,
)
