"""GET and POST /v2/text: the words that are written in a picture; Imagga calls it experimental."""

from __future__ import annotations

from haulier_imagga.endpoints._call import DOCS, imagga_call
from haulier_imagga.parameters import BY_CONTENT, IMAGE_URL, ONE_CONTENT

__all__ = ["READ_TEXT", "READ_TEXT_FILE"]

_NOTES = (
    "An upload id is not listed for this call: name the picture by its address, or send the file.",
    "Imagga calls it experimental.",
)

READ_TEXT = imagga_call(
    name="read-text",
    title="Text Recognition",
    description="Reads the text in the picture of each record, named by its address.",
    method="GET",
    path="/v2/text",
    parameters=(IMAGE_URL.model_copy(update={"required": True}),),
    takes={"text": "/result/text"},
    notes=_NOTES,
    verified=True,
    source=DOCS,
)

READ_TEXT_FILE = imagga_call(
    name="read-text-file",
    title="Text Recognition, From a File",
    description="Reads the text in the picture of each record, sent as a file.",
    method="POST",
    path="/v2/text",
    parameters=BY_CONTENT,
    one_of=ONE_CONTENT,
    content_formats=("multipart", "form"),
    takes={"text": "/result/text"},
    notes=_NOTES,
    verified=True,
    source=DOCS,
)
