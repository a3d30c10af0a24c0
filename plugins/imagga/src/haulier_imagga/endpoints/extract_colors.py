"""GET and POST /v2/colors: the colours of a picture, as a whole and of its object and background."""

from __future__ import annotations

from haulier_imagga.endpoints._call import DOCS, image_calls
from haulier_imagga.parameters import SAVE_ID, SAVE_INDEX, flag, option

__all__ = ["EXTRACT_COLORS", "EXTRACT_COLORS_FILE"]

EXTRACT_COLORS, EXTRACT_COLORS_FILE = image_calls(
    name="extract-colors",
    title="Color Extraction",
    does="Tells the colours of",
    path="/v2/colors",
    options=(
        flag(
            name="extract_overall_colors",
            description="Tell the colours of the picture as a whole.",
            service_default="1",
        ),
        flag(
            name="extract_object_colors",
            description="Tell the colours of the object and of the background apart.",
            service_default="1",
        ),
        # The defaults of both counts: https://github.com/gbicou/directus-extension-imagga
        option(
            name="overall_count",
            description="How many colours of the whole picture.",
            type="integer",
            minimum=1,
            service_default="5",
        ),
        option(
            name="separated_count",
            description="How many colours of the object, and of the background.",
            type="integer",
            minimum=1,
            service_default="3",
        ),
        flag(
            name="deterministic",
            description="Answer the same for the same picture every time.",
            service_default="0",
        ),
        option(
            name="features_type",
            description="Which colours an index of visual search keeps.",
            choices=("overall", "object"),
            certain=True,
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
