"""GET and POST /v2/categories/nsfw_beta: whether a picture is safe to show."""

from __future__ import annotations

from haulier_imagga.endpoints._call import image_calls
from haulier_imagga.parameters import LANGUAGE

__all__ = ["MODERATE_CONTENT", "MODERATE_CONTENT_FILE"]

MODERATE_CONTENT, MODERATE_CONTENT_FILE = image_calls(
    name="moderate-content",
    title="Content Moderation",
    does="Tells how safe it is to show",
    path="/v2/categories/nsfw_beta",
    options=(LANGUAGE,),
    takes={
        "categories": "/result/categories",
        "category": "/result/categories/0/name/en",
        "confidence": "/result/categories/0/confidence",
    },
    notes=(
        "nsfw_beta is widely used, but Imagga's documentation now lists adult_content in its place: use "
        "categorize-image with `categorizer_id: adult_content` where nsfw_beta is no longer answered.",
        "Class names seen: safe and nsfw. `category` and `confidence` are those of the surest class, in English.",
    ),
    verified=False,
    source="https://docs.nexla.com/user-guides/connectors/imagga_api/imagga_api_destination",
)
