"""Uploads that were left behind: their ids out of what an output wrote, and their deletion."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import click

from haulier import Delivered, Report, State, send

__all__ = ["Cleaned", "delete_uploads", "upload_ids"]


@dataclass
class Cleaned:
    """What came of a cleanup of so many uploads. report: None where there were none, or it was interrupted.

    settled: deletions by state; not_found: answered 404; unhappy: (id, reason) of what was refused or is in doubt.
    These are of this sitting: of an earlier one that is gone on with, the report alone tells.
    """

    uploads: int
    settled: Counter[State] = field(default_factory=Counter)
    not_found: int = 0
    unhappy: list[tuple[str, str]] = field(default_factory=list)
    report: Report | None = None
    interrupted: bool = False

    def told(self, one: Delivered) -> None:
        """Note what came of one deletion."""
        self.settled[one.state] += 1
        self.not_found += one.state is State.DELIVERED and one.status == 404
        if one.state is not State.DELIVERED:
            self.unhappy.append((json.loads(one.records[0])["upload_id"], one.reason))

    @property
    def counts(self) -> dict[str, int]:
        """How many uploads are gone (of these: not found), were refused, are in doubt, are left for another time."""
        report, settled = self.report, self.settled
        gone = report.delivered if report else settled[State.DELIVERED]
        refused = report.rejected if report else settled[State.REJECTED]
        in_doubt = report.in_doubt if report else settled[State.IN_DOUBT]
        return {
            "gone": gone,
            "not_found": self.not_found,
            "refused": refused,
            "in_doubt": in_doubt,
            "left": self.uploads - gone - refused - in_doubt,
        }


def delete_uploads(ids: Sequence[str], *, credential: str, base_url: str | None) -> Cleaned:
    """Delete uploads, as a run of its own; raises ConfigurationError as `haulier.send` does.

    The same ones again go on with a run that did not come to its end, and are asked for anew after one that did.
    """
    cleaned = Cleaned(len(ids))
    if ids:
        destination = {
            "name": "imagga-cleanup",
            "connector": "imagga",
            "endpoint": "delete-upload",
            "credential": credential,
            "key": "upload_id",
            "params": {"uploadId": "{record.upload_id}"},
            **({"base_url": base_url} if base_url else {}),
        }
        records = [{"upload_id": upload} for upload in ids]
        same = sha256(json.dumps([credential, base_url, *ids]).encode()).hexdigest()[:32]
        try:
            # Again: an answer of today tells more than the report of an earlier run.
            cleaned.report = send(
                destination,
                records,
                run_key=f"imagga-cleanup:{same}",
                on_delivery=cleaned.told,
                again=True,
            )
        except KeyboardInterrupt:  # by now the run has stopped in good order
            cleaned.interrupted = True
    return cleaned


def upload_ids(files: Sequence[str]) -> tuple[list[str], int]:
    """The ids in what outputs wrote into these files, each once, in order; and how many lines have none.

    Raises click.UsageError for what no output wrote.
    """
    found: dict[str, None] = {}
    without = 0
    for name in files:
        for number, line in enumerate(_text_of(name).splitlines(), 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError:
                raise click.UsageError(f"{name}, line {number}: no JSON; give what an output wrote") from None
            upload = value.get("upload_id") if isinstance(value, dict) else None
            if isinstance(upload, str) and upload:
                found[upload] = None
            else:
                without += 1
    return list(found), without


def _text_of(name: str) -> str:
    """What a file says, without the byte order mark that editors put first."""
    try:
        return Path(name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise click.UsageError(f"{name}: no UTF-8 text; give what an output wrote") from None
