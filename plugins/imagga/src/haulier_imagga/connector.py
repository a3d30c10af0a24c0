"""The connector `imagga`: where the service is and how hard it may be pressed."""

from __future__ import annotations

from haulier.authoring import Connector
from haulier_imagga.hand_made import warnings

__all__ = ["IMAGGA"]

IMAGGA = Connector(
    name="imagga",
    title="Imagga",
    description="Image analysis: tagging, categorization, content moderation, faces. Version 2 of the API.",
    # https://docs.imagga.com/
    origin="https://api.imagga.com",
    credential_type="imagga",
    website="https://docs.imagga.com/",
    # The limits of a plan are not published. Public clients on a free plan wait about a second between calls:
    # https://github.com/PipedreamHQ/pipedream/tree/master/components/imagga
    # https://github.com/larsks/imagga-tagger
    limits={"requests_per_second": 1, "max_in_flight": 1},
    # On successes and errors alike; the reset is in Unix seconds: https://github.com/VictorSuarezL/imaggar
    quota_headers={
        "limit": "monthly-limit",
        "remaining": "monthly-limit-remaining",
        "reset_epoch": "monthly-limit-reset",
    },
    warnings=warnings,
)
