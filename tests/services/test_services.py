"""Four real services whose answers differ: bad records are rejected with the service's reason, all others delivered.

They come from the npm registry and are installed once, beside the virtual environment; without npm these are skipped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.core.runs.carrying import counts, within
from tests.sharing import one_at_a_time

import haulier
from haulier.runs.reports.history import dead_letters

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples" / "answers"
PLACES = {
    "graph": "https://graphql.example",
    "couch": "https://couchdb.example",
    "kinesis": "https://kinesis.example",
    "sqs": "https://sqs.example",
}
# kinesalite wants to see a signature, and looks no closer.
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=a/b/c/kinesis/aws4_request, SignedHeaders=host, Signature=x",
    "X-Amz-Date": "20260101T000000Z",
}


def installed() -> Path:
    """The folder with the services; skips where they cannot be had."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("Node.js and npm are not installed")
    lock = (HERE / "package-lock.json").read_bytes()
    folder = Path(sys.prefix) / "services" / sha256(lock).hexdigest()[:16]
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=180)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"the services cannot be installed: {error}")
        (folder / "whole").touch()
    shutil.copy(HERE / "services.js", folder)
    return folder


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    """The four services, running; name -> port."""
    command = ["node", "services.js"]
    with (
        # They are installed once, and who has them open locks their folders.
        one_at_a_time(Path(sys.prefix) / "services.lock"),
        subprocess.Popen(command, cwd=installed(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as node,
    ):
        assert node.stdout is not None
        try:
            yield json.loads(within(60, node.stdout.readline))
        finally:
            node.terminate()


@pytest.fixture
def place(ports: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the example destinations, which lead to the services that run here."""
    (tmp_path / "haulier.yaml").write_text("version: 1\n")
    (tmp_path / "destinations").mkdir()
    for example in EXAMPLES.glob("*.yaml"):
        text = example.read_text()
        for name, url in PLACES.items():
            text = text.replace(url, f"http://127.0.0.1:{ports[name]}")
        if "kinesis" in example.name:
            text = (
                text.replace("headers: {", f"headers: {json.dumps(SIGNED)[:-1]}, ")
                + "override_authorization: true\n"
            )
        (tmp_path / "destinations" / example.name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ask(url: str, method: str = "GET", body: Any = None, **headers: str) -> Any:
    content = json.dumps(body).encode() if body is not None else None
    made = urllib.request.Request(
        url, content, {"content-type": "application/json", **headers}, method=method
    )
    with urllib.request.urlopen(made, timeout=30) as response:
        return json.loads(response.read() or b"null")


def send(name: str, records: list[dict[str, Any]]) -> haulier.Report:
    return within(60, lambda: haulier.send(name, records))


def letters(report: haulier.Report) -> list[tuple[int, str, str]]:
    return [(one.position, one.state, one.reason) for one in dead_letters(report.run_id)]


def test_errors_inside_a_200(place: Path, ports: dict[str, int]) -> None:
    """GraphQL: one record a request; whatever happens, the status is 200."""
    records = [{"variables": {"sku": f"S{number}", "price": float(number % 5)}} for number in range(20)]
    records.append({"variables": {"sku": "none"}})
    report = send("prices-graphql", records)
    assert (report.exit_code, counts(report)) == (4, {"delivered": 16, "rejected": 5})
    missing = 'Variable "$price" of required type "Float!" was not provided'
    assert letters(report) == [
        *[(at, "rejected", f"the service answered 200: no price for S{at}") for at in (0, 5, 10, 15)],
        (20, "rejected", f"the service answered 200: {missing}"),
    ]
    found = ask(f"http://127.0.0.1:{ports['graph']}/graphql", "POST", {"query": "{prices}"})
    assert sorted(found["data"]["prices"]) == sorted(f"S{number}" for number in range(20) if number % 5)
    assert report.attempts == 21


def test_a_result_for_each_record_found_by_its_key(place: Path, ports: dict[str, int]) -> None:
    """CouchDB's API: what is there already is a conflict, of that document alone; a bad member refuses them all."""
    origin = f"http://127.0.0.1:{ports['couch']}"
    ask(f"{origin}/goods", "PUT")
    for taken in ("g7", "g33"):
        ask(f"{origin}/goods/{taken}", "PUT", {"of": "another"})
    records: list[dict[str, Any]] = [{"_id": f"g{number}", "price": number} for number in range(100)]
    records[60]["_odd"] = 1
    report = send("goods-couchdb", records)
    assert (report.exit_code, counts(report)) == (4, {"delivered": 97, "rejected": 3})
    reasons = {at: reason for at, _, reason in letters(report)}
    assert sorted(reasons) == [7, 33, 60]
    assert reasons[7] == reasons[33]
    assert "conflict" in reasons[7]
    assert "_odd" in reasons[60]
    there = {row["id"] for row in ask(f"{origin}/goods/_all_docs")["rows"]}
    assert there == {f"g{number}" for number in range(100) if number != 60}


def test_a_batch_refused_whole_for_one_record(place: Path, ports: dict[str, int]) -> None:
    """Kinesis: the batch is halved until the two bad records stand alone."""
    origin = f"http://127.0.0.1:{ports['kinesis']}/"

    def kinesis(target: str, body: dict[str, Any]) -> Any:
        return ask(
            origin,
            "POST",
            body,
            **{
                "X-Amz-Target": f"Kinesis_20131202.{target}",
                "content-type": "application/x-amz-json-1.1",
                **SIGNED,
            },
        )

    kinesis("CreateStream", {"StreamName": "events", "ShardCount": 1})
    while (
        kinesis("DescribeStream", {"StreamName": "events"})["StreamDescription"]["StreamStatus"] != "ACTIVE"
    ):
        pass
    records = [{"Data": "YQ==", "PartitionKey": f"k{number}"} for number in range(60)]
    records[25]["PartitionKey"] = ""
    records[41]["Data"] = "no base64"
    report = send("events-kinesis", records)
    assert (report.exit_code, counts(report)) == (4, {"delivered": 58, "rejected": 2}), report.reason
    reasons = {at: reason for at, _, reason in letters(report)}
    assert sorted(reasons) == [25, 41]
    assert "partitionKey" in reasons[25]
    assert "can not be converted to a Blob" in reasons[41]
    assert report.attempts <= 3 + 2 * 2 * 5
    shard = {"StreamName": "events", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}
    got = kinesis("GetRecords", kinesis("GetShardIterator", shard))["Records"]
    keys = sorted(one["PartitionKey"] for one in got)
    assert keys == sorted(f"k{number}" for number in range(60) if number not in (25, 41)), "each of them once"


def test_results_in_two_lists_each_with_the_id_it_was_sent_with(place: Path, ports: dict[str, int]) -> None:
    """SQS: who failed stands in a list of its own, behind those who did not. An Id given twice refuses the batch."""
    origin = f"http://127.0.0.1:{ports['sqs']}/"

    def sqs(target: str, body: dict[str, Any]) -> Any:
        kind = "application/x-amz-json-1.0"
        return ask(origin, "POST", body, **{"X-Amz-Target": f"AmazonSQS.{target}", "content-type": kind})

    queue = sqs("CreateQueue", {"QueueName": "orders"})
    written = place / "destinations" / "orders-sqs.yaml"
    written.write_text(written.read_text().replace(f"{origin}000000000000/orders", queue["QueueUrl"]))
    records = [{"Id": f"m{number}", "MessageBody": f"order {number}"} for number in range(60)]
    records[13]["MessageBody"] = "\x01"
    records[17]["MessageBody"] = "\ufffe"
    records[42]["Id"] = records[47]["Id"]
    report = send("orders-sqs", records)
    assert (report.exit_code, counts(report)) == (4, {"delivered": 58, "rejected": 2}), report.reason
    reasons = {at: reason for at, _, reason in letters(report)}
    assert sorted(reasons) == [13, 17]
    assert all(
        reason.startswith("the service says InvalidMessageContents: Invalid characters found")
        for reason in reasons.values()
    )
    assert report.attempts == 6 + 2  # the batch with one Id twice goes on as its halves
    found: list[str] = []
    while got := sqs("ReceiveMessage", {**queue, "MaxNumberOfMessages": 10}).get("Messages"):
        found += [one["Body"] for one in got]
    assert sorted(found) == sorted(
        one["MessageBody"] for at, one in enumerate(records) if at not in reasons
    ), "each of them once"


def test_the_page_shows_the_files_that_are_tested() -> None:
    page = (HERE.parents[1] / "docs" / "answers.md").read_text()
    assert [one.name for one in EXAMPLES.glob("*.yaml") if one.read_text() not in page] == []
