"""Parameters that several calls share. Names, ranges and defaults: https://docs.imagga.com/"""

from __future__ import annotations

from haulier.authoring import Parameter

__all__ = [
    "BY_CONTENT",
    "BY_REFERENCE",
    "CALLBACK",
    "CATEGORIZER",
    "ENTRY",
    "IMAGE_URL",
    "INDEX",
    "LANGUAGE",
    "LANGUAGES",
    "ONE_CONTENT",
    "ONE_REFERENCE",
    "SAVE_ID",
    "SAVE_INDEX",
    "THRESHOLD",
    "window",
]

IMAGE_URL = Parameter(
    name="image_url",
    place="query",
    description="Address of the picture itself, not of a page that shows it; Imagga fetches it.",
    example="{record.url}",
)

# Exactly one of them on GET.
BY_REFERENCE = (
    IMAGE_URL,
    Parameter(
        name="image_upload_id",
        place="query",
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
        description="Path of a picture file below `files_root`: PNG, JPEG or GIF.",
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

LANGUAGE = Parameter(
    name="language",
    place="query",
    description="Language of the words in the answer, or several joined by commas.",
    choices=LANGUAGES,
    service_default="en",
    example="en,es",
)

CATEGORIZER = Parameter(
    name="categorizer_id",
    place="path",
    description="Which categorizer: personal_photos, general_v3, adult_content or one of your account's own.",
    required=True,
    example="personal_photos",
)

# Pictures that analyses keep for visual search; the same id overwrites.
SAVE_INDEX = Parameter(
    name="save_index",
    place="query",
    description="Also keep the picture in this index of visual search.",
    example="catalogue",
)
SAVE_ID = Parameter(
    name="save_id",
    place="query",
    description="Under this id in that index; the same id overwrites.",
    example="{record.sku}",
)

# https://github.com/henomis/imagga-go; how Imagga calls back is not established.
CALLBACK = Parameter(
    name="callback_url",
    place="query",
    description="Address that Imagga calls when the job is done; Haulier follows the ticket and needs none.",
)

# Of visual search: https://docs.imagga.com/
INDEX = Parameter(
    name="index_id",
    place="path",
    description="Name of the index of visual search.",
    required=True,
    example="catalogue",
)
ENTRY = Parameter(
    name="entry_id",
    place="path",
    description="What the picture is called in the index (`save_id`).",
    required=True,
    example="{record.sku}",
)

THRESHOLD = Parameter(
    name="threshold",
    place="query",
    description="Lowest score of what is found.",
    type="number",
    minimum=0,
)


def window(what: str) -> tuple[Parameter, ...]:
    """`offset` and `count` of a search. what: the things that are found, in words."""
    return (
        Parameter(
            name="offset",
            place="query",
            description=f"How many {what} to leave out first.",
            type="integer",
            minimum=0,
        ),
        Parameter(
            name="count", place="query", description=f"How many {what} at most.", type="integer", minimum=1
        ),
    )
