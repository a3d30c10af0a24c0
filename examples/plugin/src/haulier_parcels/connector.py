"""The connector `parcels`: where the service is and how hard it may be pressed."""

from __future__ import annotations

from haulier.authoring import Connector

__all__ = ["PARCELS"]

PARCELS = Connector(
    name="parcels",
    title="Parcels",
    description="Takes parcels and keeps them for a day. Made up.",
    origin="https://api.parcels.example",
    credential_type="parcels",
    limits={"requests_per_second": 20, "max_in_flight": 2},
)
