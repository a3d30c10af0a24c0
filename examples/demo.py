"""The main job, from a fresh checkout: pictures and records carried to Imagga, and every record accounted for.

`make demo` runs it. Each line that begins with `$ ` is the very command it runs, and can be typed by hand. Against the
emulator it needs no account and no network.

    make demo PICTURES=folder     takes your own pictures
    make demo KEEP=1              leaves the project behind to look around in
    LIVE=1 make demo              goes to the real service; IMAGGA_API_KEY and IMAGGA_API_SECRET must be set
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parent
HAULIER = Path(sys.executable).with_name("haulier")
ENDINGS = (".jpg", ".jpeg", ".png", ".gif")
# Opens nothing but the emulator; it prints the pair itself when it starts.
DEMO_KEY, DEMO_SECRET = "acc_0123456789abcde", "0123456789abcdef0123456789abcdef"
TAGS_SHOWN = 4


class Demo:
    """A project in a folder of its own, and the commands that are run there. url: of the emulator; empty: live."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def run(self, *words: str, may_end_with: tuple[int, ...] = (0,)) -> None:
        """Print a command, run it, and go on where it ended as expected."""
        print(f"\n$ haulier {shlex.join(words)}", flush=True)
        code = subprocess.run([HAULIER, *words], cwd=self.folder, check=False).returncode
        if code not in may_end_with:
            sys.exit(f"\nthe demo stops here: that command ended with {code}")

    def destination(self, name: str, endpoint: str, *words: str) -> None:
        """Make a destination of an endpoint template of Imagga."""
        there = ("--base-url", self.url, *_quick_limits()) if self.url else ()
        chosen = ("--connector", "imagga", "--endpoint", endpoint, "--credential", "demo")
        self.run("destination", "new", name, *chosen, *words, *there)

    def carry(self, name: str, records: str) -> None:
        """Run a destination; rejected records are part of what a demo may show."""
        self.run("run", name, "--records", records, "--activate", may_end_with=(0, 4, 5))


def _quick_limits() -> tuple[str, ...]:
    """The real service is asked once a second; the emulator need not be."""
    return ("--set", "limits.requests_per_second=50", "--set", "limits.max_in_flight=4")


def main() -> None:
    """The whole job, step by step."""
    live = os.environ.get("LIVE") == "1"
    if live and not (os.environ.get("IMAGGA_API_KEY") and os.environ.get("IMAGGA_API_SECRET")):
        sys.exit("LIVE=1 needs IMAGGA_API_KEY and IMAGGA_API_SECRET: export both, then run it again")
    with project_folder() as folder, service(live) as url:
        demo = Demo(folder, url)
        taken = take_pictures(folder)
        set_up(demo)
        upload(demo)
        tag_uploads(demo)
        tag_addresses(demo)
        preview_a_batch(demo)
        look_back(demo, taken)


def say(text: str) -> None:
    """A heading."""
    print(f"\n\n=== {text}", flush=True)


# -- the steps -------------------------------------------------------------------------------------


def set_up(demo: Demo) -> None:
    """A project and a credential, bound to where it may go."""
    say("A project and a credential")
    demo.run("init")
    if demo.url:
        values = ("--value", f"api_key={DEMO_KEY}", "--value", f"api_secret={DEMO_SECRET}")
        demo.run("credential", "add", "imagga", "--name", "demo", "--origin", demo.url, *values, "--check")
    else:
        demo.run("credential", "add", "imagga", "--name", "demo", "--from-env", "--check")


def upload(demo: Demo) -> None:
    """Picture files go out; the answers are kept, each with the upload id."""
    say("Upload picture files; each answer's upload_id is taken out and kept")
    outputs = [
        _lines("out/uploads.jsonl", "delivered"),
        _lines("out/refused-uploads.jsonl", "rejected", "in_doubt"),
    ]
    demo.destination(
        "upload-pictures",
        "upload-image",
        *("--key", "sku", "--param", "image={record.file}", "--files-root", "pictures"),
        *("--set", f"outputs={json.dumps(outputs)}"),
    )
    demo.run("preview", "upload-pictures", "--records", "pictures.jsonl", "-n", "1")
    demo.carry("upload-pictures", "pictures.jsonl")


def _lines(path: str, *states: str) -> dict[str, Any]:
    """An output: a file with the lines of these states alone, so that a next step gets only what it can use."""
    return {"to": "jsonl", "path": path, "when": {"at": "/state", "is": list(states)}}


def tag_uploads(demo: Demo) -> None:
    """The answers of the last step are the records of this one: nobody copies an id."""
    say("Tag them by upload id: the answers of the last step are the records of this one")
    demo.destination(
        "tag-uploads",
        "tag-image",
        *("--key", "key", "--param", "image_upload_id={record.upload_id}", "--param", "limit=10"),
        *("--output", "jsonl:out/tags-of-uploads.jsonl"),
    )
    if read_lines(demo.folder / "out/uploads.jsonl", "key"):
        demo.carry("tag-uploads", "out/uploads.jsonl")
    else:
        print("\nno picture was uploaded, so there is none to tag")


def tag_addresses(demo: Demo) -> None:
    """Pictures that are on the web already, by their address."""
    say("Tag pictures by their address")
    demo.destination(
        "tag-addresses",
        "tag-image",
        *("--key", "sku", "--param", "image_url={record.url}", "--param", "limit=10"),
        *("--output", "jsonl:out/tags-of-addresses.jsonl"),
    )
    demo.carry("tag-addresses", "urls.jsonl")


def preview_a_batch(demo: Demo) -> None:
    """Any HTTP API, records in batches, nothing sent."""
    say("Any HTTP API by hand, records in batches: a preview, which sends nothing")
    other = json.dumps({"source": "catalogue"})
    demo.run(
        *("destination", "new", "catalogue", "--url", "https://catalogue.example.com/v1/pictures"),
        *("--key", "sku", "--exclude", "internal_note", "--batch-size", "5", "--grouping", "property"),
        *("--grouping-setting", "property_name=pictures", "--grouping-setting", f"other_props={other}"),
    )
    demo.run("plan", "catalogue", "--records", "urls.jsonl")
    demo.run("preview", "catalogue", "--records", "urls.jsonl", "--sample", "2")


def look_back(demo: Demo, taken: int) -> None:
    """What happened to every record, from the files that the outputs wrote."""
    say("What happened to every record")
    demo.run("runs")
    uploads = {
        **read_lines(demo.folder / "out/refused-uploads.jsonl", "key"),
        **read_lines(demo.folder / "out/uploads.jsonl", "key"),
    }
    tags = read_lines(demo.folder / "out/tags-of-uploads.jsonl", "key")
    by_address = read_lines(demo.folder / "out/tags-of-addresses.jsonl", "key")
    rows: list[tuple[str, ...]] = [("sku", "picture", "upload id", "first tags", "state")]
    for record in read_lines(demo.folder / "pictures.jsonl", "sku").values():
        sent, tagged = uploads.get(record["sku"], {}), tags.get(record["sku"], {})
        rows.append(
            (record["sku"], record["file"], sent.get("upload_id", "-"), words(tagged), state(sent, tagged))
        )
    for record in read_lines(demo.folder / "urls.jsonl", "sku").values():
        tagged = by_address.get(record["sku"], {})
        rows.append(
            (record["sku"], record["url"].rpartition("/")[2], "by address", words(tagged), state(tagged))
        )
    print()
    print_table(rows)
    count = len(rows) - 1
    where = "the emulator, whose tags are made up from bytes and texts" if demo.url else "the service"
    print(
        f"\n{count} records, {taken} of them picture files; every one is in the table. Answered by {where}."
    )


# -- what they need --------------------------------------------------------------------------------


@contextmanager
def project_folder() -> Iterator[Path]:
    """A new folder, removed at the end unless KEEP=1."""
    folder = Path(tempfile.mkdtemp(prefix="haulier-demo-"))
    try:
        yield folder
    finally:
        if os.environ.get("KEEP"):
            print(
                f"\nthe project is in {folder}: look around there with {HAULIER} runs, report, destination show ..."
            )
        else:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def service(live: bool) -> Iterator[str]:
    """The emulator's URL while it runs in a process of its own; empty for the real service."""
    if live:
        yield ""
        return
    say("An emulator of Imagga stands in for the service (LIVE=1 goes to the real one)")
    print("\n$ haulier imagga emulate --port 0 &", flush=True)
    command = [str(HAULIER), "imagga", "emulate", "--port", "0"]
    # What it is and does not know goes to its standard error: docs/emulator.md says the same.
    emulator = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert emulator.stdout is not None
        url = emulator.stdout.readline().strip()
        if not url:
            sys.exit(f"the emulator did not start:\n{emulator.communicate()[1]}")
        print(url, flush=True)
        yield url
    finally:
        emulator.send_signal(signal.SIGTERM)
        emulator.communicate(timeout=10)


def take_pictures(folder: Path) -> int:
    """Copy pictures and records into the project, as only files in it may be sent; how many pictures."""
    shutil.copy(EXAMPLES / "urls.jsonl", folder)
    own = os.environ.get("PICTURES")
    source = Path(own).expanduser().resolve() if own else EXAMPLES / "pictures"
    if not source.is_dir():
        sys.exit(f"PICTURES={own}: there is no such folder")
    pictures = sorted(path for path in source.iterdir() if path.suffix.lower() in ENDINGS and path.is_file())
    if not pictures:
        sys.exit(f"PICTURES={own}: no picture in it; it takes {', '.join(ENDINGS)}")
    (folder / "pictures").mkdir()
    for picture in pictures:
        # A link stays one: whether it leads outside of the pictures' folder is for Haulier to see.
        shutil.copy(picture, folder / "pictures", follow_symlinks=False)
    if not own:
        shutil.copy(EXAMPLES / "pictures.jsonl", folder)
    else:
        lines = (
            json.dumps({"sku": f"P-{number:04}", "file": path.name})
            for number, path in enumerate(pictures, 1)
        )
        (folder / "pictures.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(pictures)


def read_lines(path: Path, name: str) -> dict[str, dict[str, Any]]:
    """The objects of a JSONL file by one of their attributes; none where the file was never written."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {record[name]: record for record in map(json.loads, lines)}


def words(answer: dict[str, Any]) -> str:
    """The first tags of an answer."""
    tags = answer.get("tags") or []
    return ", ".join(tag["tag"]["en"] for tag in tags[:TAGS_SHOWN]) or "-"


def state(*answers: dict[str, Any]) -> str:
    """What became of a record: of its last step that left an answer."""
    said = [
        answer["state"] + (f": {answer['reason']}" if answer.get("reason") else "")
        for answer in answers
        if answer
    ]
    return said[-1] if said else "not answered, see `haulier dead-letters list`"


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Rows with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
