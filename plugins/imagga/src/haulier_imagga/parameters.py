"""Parameters that several calls share. Names, ranges and defaults: https://docs.imagga.com/"""

from __future__ import annotations

from functools import partial

from haulier.authoring import Parameter

__all__ = [
    "BY_CONTENT",
    "BY_REFERENCE",
    "CALLBACK",
    "CATEGORIZER",
    "ENTRY",
    "FACE",
    "IMAGE_URL",
    "INDEX",
    "LANGUAGE",
    "LANGUAGES",
    "ONE_CONTENT",
    "ONE_REFERENCE",
    "PEOPLE",
    "PERSON",
    "SAVE_ID",
    "SAVE_INDEX",
    "SIMILAR_BY",
    "THRESHOLD",
    "flag",
    "in_path",
    "option",
    "window",
]

# What stands in the query of a call, and may be left out: https://docs.imagga.com/ lists options there on POST, too.
option = partial(Parameter, place="query")
flag = partial(option, type="boolean")
in_path = partial(Parameter, place="path", required=True)

IMAGE_URL = option(
    name="image_url",
    description="Address of the picture itself, not of a page that shows it; Imagga fetches it.",
    example="{record.url}",
)

# Exactly one of them on GET.
BY_REFERENCE = (
    IMAGE_URL,
    option(
        name="image_upload_id",
        description="Id that an upload answered with (`upload_id`), not older than 24 hours.",
        example="{record.upload_id}",
    ),
)
ONE_REFERENCE = (("image_url", "image_upload_id"),)

# Exactly one of them on POST.
BY_CONTENT = (
    Parameter(
        name="image",
        place="file",
        description="A picture (PNG, JPEG, GIF): its path below `files_root`, or with `fetch` its URL.",
        example="{record.path}",
    ),
    Parameter(
        name="image_base64",
        place="body",
        description="The bytes of a picture in base64, where there is no file.",
        example="{record.picture_base64}",
    ),
)
ONE_CONTENT = (("image", "image_base64"),)

# https://github.com/PipedreamHQ/pipedream/tree/master/components/imagga
# fmt: off
LANGUAGES = (
    "ar", "bg", "bs", "en", "ca", "cs", "cy", "da", "de", "el", "es", "et", "fa", "fi", "fr", "he",
    "hi", "hr", "ht", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "mt", "nl", "no", "pl", "pt",
    "ro", "ru", "sk", "sv", "sl", "sr_cyrl", "sr_latn", "th", "tr", "uk", "ur", "vi", "zh_chs", "zh_cht",
)
# fmt: on

LANGUAGE = option(
    name="language",
    description="Language of the words in the answer, or several joined by commas.",
    choices=LANGUAGES,
    several=True,
    service_default="en",
    example="en,es",
)

CATEGORIZER = in_path(
    name="categorizer_id",
    description="Which categorizer: personal_photos, general_v3, adult_content or one of your account's own.",
    example="personal_photos",
)

# Pictures that analyses keep for visual search; the same id overwrites.
SAVE_INDEX = option(
    name="save_index",
    description="Also keep the picture in this index of visual search.",
    example="catalogue",
)
SAVE_ID = option(
    name="save_id",
    description="Under this id in that index; the same id overwrites.",
    example="{record.sku}",
)

# Of visual search: https://docs.imagga.com/
SIMILAR_BY = CATEGORIZER.model_copy(update={"example": "general_v3"})
INDEX = in_path(name="index_id", description="Name of the index of visual search.", example="catalogue")
ENTRY = in_path(
    name="entry_id",
    description="What the picture is called in the index (`save_id`).",
    example="{record.sku}",
)

# Of face recognition: https://docs.imagga.com/
PEOPLE = in_path(name="index_id", description="Name of the index of people.", example="staff")
PERSON = in_path(
    name="person_id",
    description="The name under which the person was fed.",
    example="{record.person_id}",
)
FACE = option(
    name="face_id",
    description="Id of a face, from detect-faces with return_face_id.",
    required=True,
    example="{record.face_id}",
)

# https://github.com/henomis/imagga-go; how Imagga calls back is not established.
CALLBACK = option(
    name="callback_url",
    description="Address that Imagga calls when the job is done; Haulier follows the ticket and needs none.",
)

THRESHOLD = option(name="threshold", description="Lowest score of what is found.", type="number", minimum=0)


def window(what: str) -> tuple[Parameter, ...]:
    """`offset` and `count` of a search. what: the things that are found, in words."""
    return (
        option(name="offset", description=f"How many {what} to leave out first.", type="integer", minimum=0),
        option(name="count", description=f"How many {what} at most.", type="integer", minimum=1),
    )
