"""What a check tells of an account: shown, and kept for limits and plans. Over real sockets."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import haulier
from haulier.authoring import Account, Quota, Response
from haulier.cli.app import haulier as command_line
from haulier.io.accounts import AccountBook
from haulier.io.credentials import CredentialStore
from haulier.runs.resolving.builtins import load_registry
from haulier_imagga.account import account_of
from haulier_imagga.emulator import DEMO_KEY, DEMO_SECRET, Clock, ImaggaEmulator, Limits, serve


def usage(result: dict[str, Any], *headers: tuple[str, str]) -> Response:
    """An answer of GET /v2/usage."""
    body = {"result": result, "status": {"type": "success", "text": ""}}
    return Response(status=200, headers=headers, body=json.dumps(body).encode())


def test_an_account_is_told_as_far_as_the_answer_has_it() -> None:
    answer = usage(
        {"monthly_limit": 1000, "monthly_processed": 12, "rps_limit": 5, "concurrency": {"max": 2, "now": 0}},
        ("monthly-limit-remaining", "988"),
        ("monthly-limit-reset", "1722470400"),
    )
    assert account_of(answer) == Account(
        facts=(
            ("plan", "1,000 requests a month"),
            ("used", "12"),
            ("left", "988"),
            ("requests a second", "5"),
            ("at a time", "2"),
            ("reset", "2024-08-01 00:00 UTC"),
        ),
        limits={"requests_per_second": 5, "max_in_flight": 2},
        quota=Quota(left=988, limit=1000, reset_epoch=1722470400),
    )


@pytest.mark.parametrize(
    "result",
    [{}, {"monthly_limit": "many", "rps_limit": -1, "concurrency": {"max": None}}, {"rps_limit": True}],
)
def test_what_is_missing_or_odd_is_left_out(result: dict[str, Any]) -> None:
    assert account_of(usage(result)) == Account()


def test_what_is_left_follows_from_what_was_used_where_no_header_says() -> None:
    assert account_of(usage({"monthly_limit": 10, "monthly_requests": 4})).quota == Quota(left=6, limit=10)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "haulier.yaml").write_text("version: 1\n")
    (tmp_path / "destinations").mkdir()
    (tmp_path / "records.jsonl").write_text(
        "".join(json.dumps({"url": f"https://example.com/{n}.jpg"}) + "\n" for n in range(5))
    )
    return tmp_path


def store(project: Path, url: str, **values: str) -> None:
    """A stored credential for the emulator, and a destination with it."""
    kind = load_registry().credential_type("imagga")
    given = {"api_key": DEMO_KEY, "api_secret": DEMO_SECRET} | values
    CredentialStore(project / ".haulier" / "credentials.json").add("mine", kind, given, [url])
    (project / "destinations" / "tags.yaml").write_text(
        json.dumps(
            {
                "connector": "imagga",
                "endpoint": "tag-image",
                "credential": "mine",
                "base_url": url,
                "params": {"image_url": "{record.url}"},
            }
        )
    )


def test_a_check_shows_the_account_and_its_limits_are_kept_to(project: Path) -> None:
    limits = Limits(requests_per_second=50, max_in_flight=3)
    with serve(ImaggaEmulator(limits=limits, clock=Clock.virtual())) as server:
        store(project, server.url)
        assert haulier.plan("tags", "records.jsonl").seconds == 4, "one request a second"
        told = CliRunner().invoke(command_line, ["credential", "check", "mine"])
        assert "credential mine is good" in told.output
        assert "plan               1,000 requests a month" in told.output
        assert "requests a second  50" in told.output
        assert haulier.plan("tags", "records.jsonl").seconds == 4 / 50
        began = time.monotonic()
        assert haulier.send("tags", "records.jsonl").delivered == 5
        assert time.monotonic() - began < 4, "a run keeps to what was learned, too"
        written = project / "destinations" / "tags.yaml"
        settings = json.loads(written.read_text()) | {"limits": {"requests_per_second": 7}}
        written.write_text(json.dumps(settings))
        assert haulier.plan("tags", "records.jsonl").seconds == 4 / 7, "what is written counts"
        known = AccountBook(project / ".haulier" / "credentials.json").get("mine")
        assert known is not None
        assert known.limits == {"requests_per_second": 50, "max_in_flight": 3}
    assert (project / ".haulier" / "accounts.json").stat().st_mode & 0o777 == 0o600
    assert DEMO_SECRET not in (project / ".haulier" / "accounts.json").read_text()


def test_a_plan_says_before_anything_is_sent_that_the_quota_does_not_suffice(project: Path) -> None:
    with serve(ImaggaEmulator(monthly_limit=8, limits=Limits(requests_per_second=1000))) as server:
        store(project, server.url)
        assert haulier.plan("tags", "records.jsonl").warnings == ()
        CliRunner().invoke(command_line, ["credential", "check", "mine"])
        assert haulier.plan("tags", "records.jsonl").warnings == (), "5 of 8"
        assert haulier.send("tags", "records.jsonl").delivered == 5
        (warning,) = haulier.plan("tags", "records.jsonl").warnings
        assert warning.startswith("5 requests are more than the 3 of 8 that the account has left until ")
        known = AccountBook(project / ".haulier" / "credentials.json").get("mine")
        assert known is not None
        assert (known.quota_left, known.limits["requests_per_second"]) == (3, 1000)
        assert known.left_at((known.reset_epoch or 0) + 1) is None, "a new month"


def test_a_401_names_the_credential(project: Path) -> None:
    with serve(ImaggaEmulator()) as server:
        store(project, server.url, api_secret="wrong")
        report = haulier.send("tags", "records.jsonl")
    assert report.state == "stopped"
    assert report.reason.endswith(
        "it does not accept the credential `mine`; see: haulier credential check mine"
    )


def test_a_check_that_fails_names_the_way_on_and_not_itself(project: Path) -> None:
    with serve(ImaggaEmulator()) as server:
        store(project, server.url, api_secret="wrong")
        shown = CliRunner().invoke(command_line, ["credential", "check", "mine"])
    assert shown.output.splitlines()[-1].endswith(
        "it does not accept the credential `mine`; store it anew: haulier credential add imagga --name mine --replace"
    )


def test_a_credential_that_is_replaced_or_removed_is_forgotten(project: Path) -> None:
    with serve(ImaggaEmulator()) as server:
        store(project, server.url)
        run = CliRunner()
        run.invoke(command_line, ["credential", "check", "mine"])
        book = AccountBook(project / ".haulier" / "credentials.json")
        assert book.get("mine") is not None
        run.invoke(command_line, ["credential", "remove", "mine"])
        assert book.get("mine") is None


def test_a_run_warns_where_nothing_is_left(project: Path) -> None:
    with serve(ImaggaEmulator(monthly_limit=1)) as server:
        store(project, server.url)
        run = CliRunner()
        words = ["run", "tags", "--records", "records.jsonl", "--activate"]
        assert "nothing is left" not in run.invoke(command_line, words).output
        again = run.invoke(command_line, words)
        assert "warning: nothing is left of the account's quota until " in again.output
