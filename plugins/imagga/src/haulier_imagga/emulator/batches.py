"""POST /v2/batches: calls that are carried out one after the other, as one job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from haulier_imagga.emulator import categories, colors, sources, tags
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Refusal, Result
from haulier_imagga.emulator.faces import check_callback
from haulier_imagga.emulator.service import Service

_CALLS: dict[str, Callable[[Service, Call], Any]] = {
    f"/{one.path.split('/')[2]}": one.answer
    for one in (tags.ENDPOINTS[0], categories.ENDPOINTS[1], colors.ENDPOINTS[0])
}


def _batches(service: Service, call: Call) -> Result:
    body = call.json_object()
    check_callback(body.pop("callback_url", None))
    if not body or set(body) - set(_CALLS):
        raise Refusal(400, f"a batch names calls by their path: {', '.join(_CALLS)}")
    results = {
        path: [_carried_out(service, call, path, item) for item in _items(body[path])] for path in body
    }
    return service.started(call.user, results)


def _items(items: Any) -> list[dict[str, Any]]:
    if not isinstance(items, list) or not items:
        raise Refusal(400, "each call of a batch has a list of items")
    if not all(isinstance(item, dict) and isinstance(item.get("params"), dict) for item in items):
        raise Refusal(400, "each item of a batch has its query as params")
    return [item["params"] for item in items]


def _carried_out(service: Service, call: Call, path: str, params: dict[str, Any]) -> dict[str, Any]:
    """The envelope that the call would have been answered with."""
    query = tuple((name, str(value)) for name, value in params.items())
    one = replace(call, method="GET", query=query, path_values=dict(query))
    if path == "/categories" and "categorizer_id" not in one.path_values:
        return {"status": {"text": "categorizer_id is missing in params", "type": "error"}}
    try:
        return {"result": _CALLS[path](service, one), "status": {"text": "", "type": "success"}}
    except Refusal as error:
        return {"status": {"text": error.text, "type": "error"}}


ENDPOINTS = (
    Endpoint(
        path="/v2/batches",
        methods=("POST",),
        answer=_batches,
        mark="B",
        sources=(sources.PIPEDREAM,),
        unknown=(
            "whether it is still there: Imagga's documentation does not list it; the shape of its result (here: for "
            "each path the envelopes of its calls), how it counts against the monthly limit (here: once), and how a "
            "callback is made (here: never)"
        ),
        metered=True,
    ),
)
