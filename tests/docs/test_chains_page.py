"""The page on chains can be followed as it stands, against the emulator."""

from __future__ import annotations

import json
from pathlib import Path

from tests.docs.blocks import REPOSITORY
from tests.docs.walkthrough import follow


def test_the_example_on_chains_can_be_followed_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    follow(REPOSITORY / "docs" / "chains.md", tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "chain/out/gallery.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["delete"] * 6
    assert all(line["upload_id"] and line["tags"] for line in lines)
