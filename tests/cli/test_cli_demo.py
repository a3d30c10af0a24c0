"""`make demo`: one command carries real pictures, and its last table has every record."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def demo(**more: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PICTURES", "LIVE", "KEEP", "HAULIER_PLUGINS")
    }
    environment = {name: value for name, value in kept.items() if not name.startswith("IMAGGA_")} | more
    return subprocess.run(
        [sys.executable, str(EXAMPLES / "demo.py")],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


def rows(out: str) -> list[list[str]]:
    table = out[out.rindex("\nsku ") + 1 :].split("\n\n", maxsplit=1)[0]
    return [re.split(r"  +", line) for line in table.splitlines()[1:]]


def test_the_demo_uploads_tags_and_accounts_for_every_record() -> None:
    told = demo()
    assert told.returncode == 0, told.stdout + told.stderr
    table = rows(told.stdout)
    assert [row[0] for row in table] == [f"HL-{n:04}" for n in range(1, 7)] + [
        f"HU-{n:04}" for n in range(1, 13)
    ]
    assert {row[4] for row in table} == {"delivered"}
    assert all(re.fullmatch(r"i[0-9a-f]+", row[2]) for row in table[:6])
    commands = [line for line in told.stdout.splitlines() if line.startswith("$ ")]
    assert [words.split()[2] for words in commands].count("run") == 3
    assert "Traceback" not in told.stdout + told.stderr


def test_the_demo_takes_a_persons_own_pictures(tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "pictures" / "beach.jpg", tmp_path / "my own beach.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    told = demo(PICTURES=str(tmp_path))
    assert told.returncode == 0, told.stdout + told.stderr
    assert rows(told.stdout)[0][:2] == ["P-0001", "my own beach.jpg"]


def test_the_demo_tells_of_a_refused_picture_why_and_tags_only_what_was_uploaded(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(EXAMPLES / "pictures" / "beach.jpg", own)
    (own / "empty.png").touch()
    shutil.copy(EXAMPLES / "pictures" / "apple.jpg", tmp_path)
    (own / "link.jpg").symlink_to(tmp_path / "apple.jpg")
    told = demo(PICTURES=str(own))
    assert told.returncode == 0, told.stdout + told.stderr
    beach, empty, link = (row[1:2] + row[4:] for row in rows(told.stdout)[:3])
    assert beach == ["beach.jpg", "delivered"]
    assert empty == [
        "empty.png",
        "rejected: Imagga answered 400: the image is not a PNG, JPEG or GIF file",
    ]
    assert link == [
        "link.jpg",
        "rejected: line 3: parameter image: file 'link.jpg': leads outside files_root; only files below it are sent",
    ]
    assert re.search(r"(?m)^\w+  tag-uploads +finished +1 +1 +0 +0 +0 +0 ", told.stdout)


def test_the_demo_ends_well_where_no_picture_could_be_uploaded(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    told = demo(PICTURES=str(tmp_path))
    assert told.returncode == 0, told.stdout + told.stderr
    assert "no picture was uploaded, so there is none to tag" in told.stdout
    assert rows(told.stdout)[0][:4] == ["P-0001", "empty.png", "-", "-"]


def test_the_demo_says_what_it_lacks() -> None:
    assert "LIVE=1 needs IMAGGA_API_KEY and IMAGGA_API_SECRET" in demo(LIVE="1").stderr
    assert "there is no such folder" in demo(PICTURES="/no/such/folder").stderr
