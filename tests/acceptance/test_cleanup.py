"""`haulier imagga cleanup` that does not come to its end: what is left is said, and the same command goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.acceptance.support import Imagga, Project, png, wait_until

from haulier_imagga.emulator import Fault
from haulier_imagga.emulator.service import Settings

UPLOADS = 4  # one is deleted in a second
MORE_UPLOADS = 12


def leave(project: Project, uploads: int) -> None:
    project.write("left.jsonl", "".join(f"{json.dumps({'upload_id': f'i05e{n}'})}\n" for n in range(uploads)))


@pytest.fixture
def command(project: Project, imagga: Imagga) -> tuple[str, ...]:
    """Cleans up uploads that nobody has, each of which is a request."""
    project.add_credential(imagga.url)
    leave(project, UPLOADS)
    named = ("--credential", "imagga-test", "--base-url", imagga.url, "--yes")
    return ("imagga", "cleanup", "left.jsonl", *named)


@contextmanager
def begun(project: Project, imagga: Imagga, command: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    """The command, with requests under way whose answers are slow."""
    imagga.emulator.faults.add(Fault(delay_s=0.5, count=None))
    with subprocess.Popen(
        [sys.executable, "-m", "haulier", *command],
        cwd=project.root,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            until = time.monotonic() + 60
            while not imagga.requests and time.monotonic() < until:
                time.sleep(0.01)
            yield process
        finally:
            process.kill()
    imagga.emulator.faults.clear()


def goes_on(project: Project, command: tuple[str, ...], uploads: int = UPLOADS) -> None:
    """The same command again brings the one run there is to its end."""
    counts = project.haulier(*command, "--json").json
    assert (counts["gone"], counts["left"]) == (uploads, 0)
    assert [run["state"] for run in project.haulier("runs", "--json").json["runs"]] == ["finished"]


def test_a_cleanup_that_is_stopped_says_what_is_left(
    project: Project, imagga: Imagga, command: tuple[str, ...]
) -> None:
    imagga.emulator.faults.add(Fault.refused(401, count=None))
    stopped = project.haulier(*command, code=3)
    assert stopped.out == f"{UPLOADS} uploads: 0 are gone, 0 were refused, {UPLOADS} are left\n"
    assert stopped.err.endswith("\nto go on with those that are left: the same command again\n")
    assert "stopped: " in stopped.err
    imagga.emulator.faults.clear()
    goes_on(project, command)


def test_a_cleanup_that_is_interrupted_prints_its_counts(
    project: Project, imagga: Imagga, command: tuple[str, ...]
) -> None:
    leave(project, MORE_UPLOADS)  # for seconds to spare before the last one
    with begun(project, imagga, (*command, "--json")) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    counts = json.loads(out)
    assert process.returncode == 130
    assert 0 < counts["gone"] < MORE_UPLOADS
    assert counts["left"] == MORE_UPLOADS - counts["gone"]
    assert "the same command again" in err
    goes_on(project, command, MORE_UPLOADS)


def test_a_cleanup_that_was_killed_goes_on(
    project: Project, imagga: Imagga, command: tuple[str, ...]
) -> None:
    with begun(project, imagga, command) as process:
        process.kill()
        process.communicate()
    goes_on(project, command)


def test_uploads_of_a_chain_that_was_killed_are_deleted_by_what_the_upload_stage_wrote_down(
    project: Project, imagga: Imagga
) -> None:
    """Nobody goes on with the run, and the job that its pictures wait for never ends."""
    imagga.emulator.service.settings = Settings(polls=1_000_000)
    project.add_credential(imagga.url)
    for number in range(UPLOADS):
        project.write(f"pictures/{number}.png", png(4, 4, number))
    project.records({"file": f"{number}.png"} for number in range(UPLOADS))
    upload_id = "{record.upload.result.upload_id}"
    uploaded = {"to": "jsonl", "path": "uploads.jsonl"}
    upload = {"endpoint": "upload-image", "params": {"image": "{record.file}"}, "files_root": "pictures"}
    job = {
        "endpoint": "start-batch",
        "add": {"params.image_upload_id": upload_id},
        "batching": {"size": UPLOADS},
    }
    delete = {"endpoint": "delete-upload", "params": {"uploadId": upload_id}}
    stages = [
        {"name": "upload", **upload, "outputs": [uploaded]},
        {"name": "tag", **job},
        {"name": "delete", **delete},
    ]
    shared = {"connector": "imagga", "base_url": imagga.url, "credential": "imagga-test"}
    limits = {"requests_per_second": 1_000, "max_in_flight": 4}
    project.destination("private", {**shared, "limits": limits, "stages": stages})
    command = ("run", "private", "--records", "records.jsonl", "--activate", "--yes")
    with subprocess.Popen(
        [sys.executable, "-m", "haulier", *command], cwd=project.root, env=project.environment
    ) as process:
        written = project.root / "uploads.jsonl"
        wait_until(lambda: written.exists() and written.read_text().count("\n") == UPLOADS)
        wait_until(lambda: any("/tickets/" in one.path for one in imagga.requests))
        process.kill()
    named = ("--credential", "imagga-test", "--base-url", imagga.url, "--yes")
    counts = project.haulier("imagga", "cleanup", "uploads.jsonl", *named, "--json").json
    assert (counts["gone"], counts["not_found"], counts["left"]) == (UPLOADS, 0, 0)
    deleted = {one.path for one in imagga.requests if one.method == "DELETE" and one.status == 200}
    assert deleted == {f"/v2/uploads/{line['upload_id']}" for line in project.lines("uploads.jsonl")}
