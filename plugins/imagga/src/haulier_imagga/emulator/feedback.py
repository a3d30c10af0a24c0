"""POST /v2/tags/feedback: only a page of another vendor says that it exists."""

from __future__ import annotations

from haulier_imagga.emulator import sources
from haulier_imagga.emulator.call import Call
from haulier_imagga.emulator.endpoint import Endpoint, Result
from haulier_imagga.emulator.service import Service


def _feedback(service: Service, call: Call) -> Result:
    call.json_object()
    return {"unverified": "no source of the service describes this endpoint; what was sent is not used"}


ENDPOINTS = (
    Endpoint(
        path="/v2/tags/feedback",
        methods=("POST",),
        answer=_feedback,
        mark="?",
        sources=(sources.NEXLA,),
        unknown="everything: whether it exists, its attributes, its answer (here: any JSON object is taken)",
    ),
)
