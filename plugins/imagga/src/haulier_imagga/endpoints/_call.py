"""What all calls of Imagga have in common, and the pair of calls that most analyses are."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from haulier.authoring import EndpointTemplate, Parameter
from haulier_imagga.answers import TICKET, judge, judge_job
from haulier_imagga.jobs import FOLLOW
from haulier_imagga.parameters import BY_CONTENT, BY_REFERENCE, ONE_CONTENT, ONE_REFERENCE

__all__ = ["DOCS", "ONE_RECORD", "image_calls", "imagga_call", "imagga_job"]

DOCS = "https://docs.imagga.com/"
# Of calls that take nothing from records.
ONE_RECORD = "One call per record: give it one record, such as {}."

imagga_call = partial(
    EndpointTemplate,
    connector="imagga",
    answers="json",
    judge=judge,
    # 0 and 1, never true and false: https://github.com/henomis/imagga-go
    booleans="digits",
    read_on=date(2026, 11, 22),
)

# A call that starts a job, which is followed by its ticket; asked for once more it starts another one.
imagga_job = partial(
    imagga_call, takes={"ticket_id": TICKET}, judge=judge_job, ticket=TICKET, follow=FOLLOW, idempotent=False
)


def image_calls(
    *, name: str, title: str, does: str, options: tuple[Parameter, ...] = (), **shared: Any
) -> tuple[EndpointTemplate, EndpointTemplate]:
    """One analysis as its two calls: GET for a picture named by address or upload id, POST for a file.

    Which inputs go with which method: https://docs.imagga.com/ and https://github.com/henomis/imagga-go
    does: what the call does to "the picture of each record", with a capital letter. The template of the second call has
    the name with `-file` behind it.
    """
    return (
        imagga_call(
            name=name,
            title=title,
            description=f"{does} the picture of each record, named by its address or its upload id.",
            method="GET",
            parameters=(*BY_REFERENCE, *options),
            one_of=ONE_REFERENCE,
            **shared,
        ),
        imagga_call(
            name=f"{name}-file",
            title=f"{title}, From a File",
            description=f"{does} the picture of each record, sent as a file without uploading it before.",
            method="POST",
            parameters=(*BY_CONTENT, *options),
            one_of=ONE_CONTENT,
            content_formats=("multipart", "form"),
            **shared,
        ),
    )
