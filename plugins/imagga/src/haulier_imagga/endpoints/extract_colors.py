"""GET and POST /v2/colors: the colours of a picture, as a whole and of its object and background."""

from __future__ import annotations

from haulier.authoring import Parameter
from haulier_imagga.endpoints._call import DOCS, image_calls
from haulier_imagga.parameters import SAVE_ID, SAVE_INDEX

__all__ = ["EXTRACT_COLORS", "EXTRACT_COLORS_FILE"]

EXTRACT_COLORS, EXTRACT_COLORS_FILE = image_calls(
    name="extract-colors",
    title="Color Extraction",
    does="Tells the colours of",
    path="/v2/colors",
    options=(
        Parameter(
            name="extract_overall_colors",
            place="query",
            description="Tell the colours of the picture as a whole.",
            type="boolean",
            service_default="1",
        ),
        Parameter(
            name="extract_object_colors",
            place="query",
            description="Tell the colours of the object and of the background apart.",
            type="boolean",
            service_default="1",
        ),
        # The defaults of both counts: https://github.com/gbicou/directus-extension-imagga
        Parameter(
            name="overall_count",
            place="query",
            description="How many colours of the whole picture.",
            type="integer",
            minimum=1,
            service_default="5",
        ),
        Parameter(
            name="separated_count",
            place="query",
            description="How many colours of the object, and of the background.",
            type="integer",
            minimum=1,
            service_default="3",
        ),
        Parameter(
            name="deterministic",
            place="query",
            description="Answer the same for the same picture every time.",
            type="boolean",
            service_default="0",
        ),
        Parameter(
            name="features_type",
            place="query",
            description="Which colours an index of visual search keeps.",
            choices=("overall", "object"),
        ),
        SAVE_INDEX,
        SAVE_ID,
    ),
    takes={
        "colors": "/result/colors",
        "image_colors": "/result/colors/image_colors",
        "main_color": "/result/colors/image_colors/0/html_code",
        "main_color_name": "/result/colors/image_colors/0/closest_palette_color",
    },
    notes=("`colors` holds everything; `main_color` is the first colour of the whole picture.",),
    verified=True,
    source=DOCS,
)
