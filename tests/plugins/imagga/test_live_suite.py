"""The suite that asks the real service, tried on the emulator: it asks every call once and says what it found."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from haulier_imagga import TEMPLATES
from haulier_imagga.emulator import DEMO_KEY, DEMO_SECRET, Fault, ImaggaEmulator, serve

ROOT = Path(__file__).resolve().parents[3]


def live(url: str, *chosen: str, key: str = DEMO_KEY) -> subprocess.CompletedProcess[str]:
    """The live suite, led elsewhere; chosen: a part of it, as pytest has it."""
    environment = os.environ | {
        "IMAGGA_API_KEY": key,
        "IMAGGA_API_SECRET": DEMO_SECRET,
        "IMAGGA_LIVE_URL": url,
    }
    command = [sys.executable, "-m", "pytest", "tests/live", "-q", "-s", "-p", "no:cacheprovider", *chosen]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def facts(ended: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """Fact -> confirmed, REFUTED or not told."""
    lines = re.findall(r"(?m)^  (confirmed|REFUTED|not told) +(.*?)(?:   \[.*)?$", ended.stdout)
    return {text: word for word, text in lines}


def test_it_asks_every_call_within_a_free_plan_and_prints_what_it_found() -> None:
    emulator = ImaggaEmulator(free_plan=True, monthly_limit=100, polls=1)
    with serve(emulator) as server:
        ended = live(server.url)
    assert ended.returncode == 0, ended.stdout
    found = facts(ended)
    assert [fact for fact, word in found.items() if word == "REFUTED"] == [], ended.stdout
    assert {found["deleting twice is answered with 404 or 410"], found["groupings give a ticket"]} == {
        "confirmed"
    }
    asked = int(re.search(r"(\d+) of (\d+) endpoints were asked", ended.stdout)[1])  # type: ignore[index]
    pairs = sum(one.name.endswith("-file") for one in TEMPLATES)
    assert asked >= len(TEMPLATES) - pairs
    assert len(emulator.requests) <= 60


def test_it_says_what_is_refuted() -> None:
    emulator = ImaggaEmulator(polls=1)
    emulator.faults.add(Fault(path="/v2/barcodes", status=404, count=None))
    with serve(emulator) as server:
        found = facts(live(server.url, "-k", "by_address"))
    assert found["read-barcodes is answered as described"] == "REFUTED"
    assert found["tag-image is answered as described"] == "confirmed"


def test_without_a_good_key_it_fails_and_without_any_it_is_skipped() -> None:
    with serve(ImaggaEmulator()) as server:
        refused = live(server.url, "-k", "usage", key="acc_unknown")
    assert (refused.returncode, "without a good key nothing else can be told" in refused.stdout) == (1, True)
    skipped = live("http://127.0.0.1:9", key="")
    assert skipped.returncode == 0
    assert re.search(r"^\d+ skipped in ", skipped.stdout, re.MULTILINE), skipped.stdout
