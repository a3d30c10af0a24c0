"""The public API as an embedder uses it; only type-checked, never run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, assert_type

import haulier


def rows() -> Iterator[Mapping[str, Any]]:
    yield {"sku": "a"}


def lines() -> Iterator[bytes]:
    yield b'{"sku":"a"}'


def look(told: haulier.Delivered) -> None:
    assert_type(told.number, int)
    assert_type(told.state, haulier.State)
    assert_type(told.status, int | None)
    for position in told.positions:
        assert_type(position, int)


destination: dict[str, Any] = {"name": "d", "request": {"url": "http://127.0.0.1/"}}
checked = haulier.Destination.model_validate(destination)

for given in (destination, checked, "tag-images", Path("destinations/tag-images.yaml")):
    assert_type(haulier.send(given, "records.jsonl"), haulier.Report)

report = haulier.send(
    destination,
    rows(),
    run_key="nightly",
    credential={"type": "bearer", "token": "t"},
    state=Path("state"),
    on_delivery=look,
)
assert_type(report.ok, bool)
assert_type(report.exit_code, int)
assert_type(report.to_dict(), dict[str, Any])
haulier.send(destination, lines())
haulier.send(destination, Path("records.csv"))
haulier.send(destination, [{"sku": "a"}])


async def main() -> None:
    assert_type(await haulier.asend(destination, rows(), credential="imagga-prod"), haulier.Report)


with haulier.open_run(destination, run_key="nightly", state="state") as run:
    assert_type(run, haulier.Run)
    run.write([{"sku": "a"}], id="page-1")
    run.write(lines())
    run.flush()
assert_type(run.report, haulier.Report | None)
assert_type(run.close(), haulier.Report)

shown = haulier.preview(destination, rows(), n=3)
assert_type(shown, haulier.Preview)
for sample in shown.samples:
    assert_type(sample, haulier.Sample)
    assert_type(sample.target, str)
    assert_type(sample.headers, tuple[tuple[str, str], ...])
assert_type(haulier.plan(destination, "records.jsonl"), haulier.Plan)
assert_type(haulier.check(destination).ok, bool)
tried = haulier.test_send(destination, rows(), sample=1, payload=b"{}")
assert_type(tried, haulier.TestAnswer)
assert_type(tried.status, int | None)

try:
    haulier.send(destination, rows())
except haulier.TransportError as error:
    assert_type(error.sent, Literal["no", "maybe"])
except (haulier.ConfigurationError, haulier.InputError, haulier.LedgerError, haulier.RunStopped):
    raise
except haulier.HaulierError:
    raise

replayed = haulier.replay(
    destination, run="1a2b", reason="422", only="all", again=True, state="state", on_delivery=look
)
assert_type(replayed, haulier.Report)
assert_type(replayed.parent, str)

with haulier.trusting_code():
    assert_type(haulier.send(destination, rows()), haulier.Report)
