"""The tests of the plugin: the list that every plugin is held to, and a day at the depot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import haulier_parcels
import pytest
from haulier_parcels.emulator import TOKEN, ParcelsEmulator

import haulier
from haulier.testing.conformance import check_plugin
from haulier.testing.emulator import Clock, serve


def announcing(url: str, **more: Any) -> dict[str, Any]:
    """A destination that announces parcels at the northern depot."""
    return {
        "name": "announce",
        "connector": "parcels",
        "endpoint": "announce-parcels",
        "params": {"depot": "north"},
        "base_url": url,
        **more,
    }


def test_it_conforms() -> None:
    assert check_plugin(haulier_parcels) == []


def test_receipts_name_each_record_by_its_key_whatever_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("haulier.yaml").write_text("version: 1\n")
    Path("parcels.jsonl").write_text(
        '{"id": "P1", "weight": 1, "number": 1e400}\n{"id": "P2", "weight": 1, "number": 7}\n'
    )
    with serve(ParcelsEmulator()) as server:
        announce = announcing(server.url, key="number", outputs=[{"to": "receipts", "path": "receipts.txt"}])
        credential = {"token": TOKEN, "origins": [server.url]}
        haulier.send(announce, "parcels.jsonl", credential=credential)
    assert Path("receipts.txt").read_text() == "1e400\tdelivered\n7\tdelivered\n"


def test_parcels_are_announced_and_fetched(tmp_path: Path) -> None:
    emulator = ParcelsEmulator(clock=Clock.virtual())
    parcels = [{"id": f"P{number}", "weight": number} for number in range(3)]
    with serve(emulator) as server:
        credential = {"token": TOKEN, "origins": [server.url]}
        announce = announcing(server.url)
        report = haulier.send(announce, parcels, credential=credential, state=tmp_path)
        assert (report.state, report.delivered) == ("finished", 3)
        assert [request.target for request in emulator.requests] == ["/v1/depots/north/parcels"]

        emulator.clock.advance(86_400)
        fetch = {
            "name": "fetch",
            "connector": "parcels",
            "endpoint": "fetch-parcel",
            "params": {"id": "{record.id}"},
            "base_url": server.url,
        }
        report = haulier.send(fetch, parcels, credential=credential, state=tmp_path)
        assert (report.state, report.rejected) == ("finished", 3)
