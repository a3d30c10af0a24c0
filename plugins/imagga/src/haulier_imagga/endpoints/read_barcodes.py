"""GET /v2/barcodes: the barcodes in a picture."""

from __future__ import annotations

from haulier_imagga.endpoints._call import imagga_call
from haulier_imagga.parameters import BY_REFERENCE, ONE_REFERENCE

__all__ = ["READ_BARCODES"]

READ_BARCODES = imagga_call(
    name="read-barcodes",
    title="Barcode Recognition",
    description="Reads the barcodes in the picture of each record, named by its address or its upload id.",
    method="GET",
    path="/v2/barcodes",
    parameters=BY_REFERENCE,
    one_of=ONE_REFERENCE,
    takes={"barcodes": "/result/barcodes"},
    notes=(
        "Two clients use it, one of them tested against the service; Imagga's documentation does not list it any more.",
    ),
    verified=True,
    source="https://github.com/henomis/imagga-go",
)
