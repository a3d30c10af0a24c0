"""What encoding costs beside msgspec alone: `.venv/bin/python bench/encoding.py`. Nothing is sent.

Each row is a way in which batches of 100 records reach the encoder `json`; the ratio is of the best times of many
rounds, taken in turn, so that a busy machine slows both alike. The last rows tell what the other formats cost.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from records import make_records
from timing import best

from haulier.pipeline.encoding.formats import encoders

BATCH = 100
MOST = 1.3  # what `json` may cost beside msgspec alone
SETTINGS: dict[str, dict[str, Any]] = {
    "csv": {"missing": "fill", "nested": "json"},
    "text": {"template": "{record.sku}", "absent": "empty"},
}


def main() -> int:
    """Print the rows; 1 where `json` costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3000)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        lines = make_records(Path(folder, "records.jsonl"), BATCH).path.read_bytes().splitlines()
    ways: dict[str, list[Any]] = {
        "untouched": [msgspec.Raw(line) for line in lines],
        "shallow": [msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in lines],
        "decoded": [msgspec.json.decode(line) for line in lines],
    }
    known = {encoder.name: encoder for encoder in encoders()}
    json, plain = known["json"], msgspec.json.Encoder().encode
    settings, worst = json.settings(), 0.0
    print("| json, batches of 100 | msgspec alone, us | Haulier, us | ratio |\n| --- | --- | --- | --- |")
    for way, records in ways.items():
        for shape, payload in (("array", records), ("property", {"records": records})):
            alone, ours = best(rounds, lambda p=payload: plain(p), lambda p=payload: json.encode(p, settings))
            # Decoded records are looked through for what JSON cannot say: only a grouping that needs values has them.
            worst = max(worst, ours / alone if way != "decoded" else 0.0)
            print(f"| {way}, {shape} | {alone * 1e6:.1f} | {ours * 1e6:.1f} | {ours / alone:.2f} |")
    print(f"\nworst ratio {worst:.2f}, at most {MOST}\n\n| format | us a batch of 100 |\n| --- | --- |")
    for name in ("ndjson", "csv", "xml", "text"):
        encoder = known[name]
        records = ways["untouched" if encoder.needs == "opaque" else "shallow"]
        chosen = encoder.settings(**SETTINGS.get(name, {}))
        (ours,) = best(max(1, rounds // 30), lambda e=encoder, r=records, s=chosen: e.encode(r, s))
        print(f"| {name} | {ours * 1e6:.0f} |")
    return int(worst > MOST)


if __name__ == "__main__":
    raise SystemExit(main())
