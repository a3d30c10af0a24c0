"""Parameters that several calls share. Names, ranges and defaults: https://docs.imagga.com/"""

from __future__ import annotations

from haulier.authoring import Parameter

__all__ = ["BY_CONTENT", "BY_REFERENCE", "LANGUAGE", "ONE_CONTENT", "ONE_REFERENCE"]

# Exactly one of them on GET.
BY_REFERENCE = (
    Parameter(
        name="image_url",
        place="query",
        description="Address of the picture itself, not of a page that shows it; Imagga fetches it.",
        example="{record.url}",
    ),
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
_LANGUAGES = (
    "ar", "bg", "bs", "en", "ca", "cs", "cy", "da", "de", "el", "es", "et", "fa", "fi", "fr", "he",
    "hi", "hr", "ht", "hu", "id", "it", "ja", "ko", "lt", "lv", "ms", "mt", "nl", "no", "pl", "pt",
    "ro", "ru", "sk", "sv", "sl", "sr_cyrl", "sr_latn", "th", "tr", "uk", "ur", "vi", "zh_chs", "zh_cht",
)
# fmt: on

LANGUAGE = Parameter(
    name="language",
    place="query",
    description="Language of the words in the answer, or several joined by commas.",
    choices=_LANGUAGES,
    service_default="en",
    example="en,es",
)
