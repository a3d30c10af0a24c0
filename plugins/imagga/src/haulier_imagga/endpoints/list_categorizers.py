"""GET /v2/categorizers: which categorizers an account may use, and their classes."""

from __future__ import annotations

from haulier_imagga.endpoints._call import DOCS, ONE_RECORD, imagga_call

__all__ = ["LIST_CATEGORIZERS"]

LIST_CATEGORIZERS = imagga_call(
    name="list-categorizers",
    title="Categorizers",
    description="Asks which categorizers the account may use, public and its own; takes nothing from records.",
    method="GET",
    path="/v2/categorizers",
    takes={"categorizers": "/result/categorizers"},
    notes=(ONE_RECORD,),
    verified=True,
    source=DOCS,
)
