"""Below /v2/similar-images/categories: visual search, by how alike the hashes of pictures are. Not vision."""

from __future__ import annotations

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.holdings import Index, taken_out
from haulier_imagga.emulator.image_input import image_of
from haulier_imagga.emulator.options import decimal, whole
from haulier_imagga.emulator.picture import Picture
from haulier_imagga.emulator.service import Service

_PATH = "/v2/similar-images/categories/{categorizer_id}/{index_id}"
_SHAPE = "the names in the answer (here: images, each with id and distance)"


def save_in_index(service: Service, call: Call, kind: str, of: str, picture: Picture) -> None:
    """Keep a picture under `save_id` in `save_index`, where an analysis asks for that."""
    index, entry = call.option("save_index"), call.option("save_id")
    if (index is None) != (entry is None):
        raise Refusal(400, "save_index and save_id go together")
    if index and entry:
        service.pictures.made(call.user, kind, of, index).fed[entry] = [picture.seed]


def _index(service: Service, call: Call) -> Index:
    return service.pictures.get(
        call.user, "categories", call.path_values["categorizer_id"], call.path_values["index_id"]
    )


def _put_or_search(service: Service, call: Call) -> Result:
    index = _index(service, call)
    if call.method == "PUT":
        return service.training(call.user, index)
    return _found(index, image_of(service, call).seed, call)


def _entry(service: Service, call: Call) -> Result | None:
    index, entry = _index(service, call), call.path_values["entry_id"]
    if call.method == "DELETE":
        taken_out(index.fed, entry, "picture")
        return None
    if entry not in index.trained:
        raise Refusal(404, f"there is no picture {entry!r} in this index, or it was not trained since")
    return _found(index, index.trained[entry][0], call)


def _found(index: Index, seed: str, call: Call) -> Result:
    most = decimal(call, "distance", default=1e9, least=0.0, most=1e9)
    offset, count = whole(call, "offset", default=0, least=0), whole(call, "count", default=10, least=1)
    ranked = sorted((_distance(seed, kept[0]), name) for name, kept in index.trained.items())
    near = [{"id": name, "distance": distance} for distance, name in ranked if distance <= most]
    return {"images": near[offset : offset + count], "count": len(near)}


def _distance(one: str, other: str) -> float:
    """0 for the same picture, to about 3."""
    return sum(a != b for a, b in zip(one, other, strict=False)) / 20


def _delete(service: Service, call: Call) -> None:
    _index(service, call)
    service.pictures.delete(
        call.user, "categories", call.path_values["categorizer_id"], call.path_values["index_id"]
    )


ENDPOINTS = (
    Endpoint(
        path=_PATH,
        methods=("GET", "POST", "PUT"),
        answer=_put_or_search,
        mark="B",
        sources=(sources.DOCS, sources.CLIENT_CODE),
        unknown=f"{_SHAPE}, what an unknown index is told (here: 404); region and merging change nothing",
        metered=True,
    ),
    Endpoint(
        path=_PATH,
        methods=("DELETE",),
        answer=_delete,
        mark="B",
        sources=(sources.DOCS,),
        unknown="what an unknown index is told (here: 404)",
    ),
    Endpoint(
        path=f"{_PATH}/{{entry_id}}",
        methods=("GET", "DELETE"),
        answer=_entry,
        mark="B",
        sources=(sources.DOCS,),
        unknown=f"{_SHAPE}, what an unknown picture is told (here: 404)",
    ),
)
