"""The page on chains can be followed as it stands, against the emulator."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.core.runs.carrying import records, within
from tests.core.runs.wire import Asked, Wire, answer
from tests.docs.blocks import REPOSITORY, blocks_of
from tests.docs.walkthrough import follow

import haulier


def test_the_example_on_chains_can_be_followed_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    follow(REPOSITORY / "docs" / "chains.md", tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "chain/out/gallery.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["delete"] * 6
    assert all(line["upload_id"] and line["tags"] for line in lines)


@pytest.mark.parametrize(("count", "lists"), [(20_000, 1), (20_001, 2)])
def test_the_destination_that_makes_one_list_for_all_records_makes_one_up_to_its_size(
    tmp_path: Path, count: int, lists: int
) -> None:
    (written,) = (
        block.text
        for block in blocks_of(REPOSITORY / "docs" / "chains.md")
        if block.mark == "file: destinations/airports.yaml"
    )
    made: list[bytes] = []

    def reply(asked: Asked) -> bytes:
        if asked.target == "/v1/lists":
            made.append(asked.body)
            return answer(body=json.dumps({"id": f"L-{len(made)}"}).encode())
        return answer()

    with Wire(reply) as wire:
        file = tmp_path / "airports.yaml"
        # In batches, as twenty thousand requests would take long.
        file.write_text(
            written.replace("https://lists.example.com", wire.url) + "    batching: {size: 10000}\n"
        )
        report = within(120, lambda: haulier.send(file, records(count), state=str(tmp_path / "state")))
        items = [
            (asked.target, json.loads(asked.body)) for asked in wire.asked if asked.target != "/v1/lists"
        ]
    assert (report.state, report.delivered) == ("finished", 2 * count)
    assert made == [b'{"name": "airports"}'] * lists
    assert {target for target, _ in items} == {
        f"/v1/lists/L-{number}/items" for number in range(1, lists + 1)
    }
    sent = [record for _, body in items for record in body]
    assert sorted(record["id"] for record in sent) == list(range(count))
    assert all("list" not in record for record in sent)
