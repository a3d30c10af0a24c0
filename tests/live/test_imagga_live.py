"""The real Imagga, asked once for each call, within what a free plan gives; prints what it confirmed and refuted.

Skipped without IMAGGA_API_KEY and IMAGGA_API_SECRET. IMAGGA_LIVE_URL leads elsewhere, to an emulator, to try the suite
itself. Run it with `make live-test`. It sends about 35 requests, a second apart, of pictures that this repository holds
and of one address; it deletes what it made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import haulier
from haulier_imagga import TEMPLATES

KEY, SECRET = os.environ.get("IMAGGA_API_KEY"), os.environ.get("IMAGGA_API_SECRET")
URL = os.environ.get("IMAGGA_LIVE_URL", "https://api.imagga.com")
PAUSE_S = 1.1 if URL.startswith("https://api.imagga.com") else 0.0
PICTURES = Path(__file__).resolve().parents[2] / "examples" / "pictures"
ADDRESS = os.environ.get(
    "IMAGGA_LIVE_PICTURE", "https://imagga.com/static/images/tagging/wind-farm-538576_640.jpg"
)
pytestmark = pytest.mark.skipif(
    not (KEY and SECRET), reason="IMAGGA_API_KEY and IMAGGA_API_SECRET are not set"
)
ASKED: set[str] = set()
TOLD: list[tuple[str, str, str]] = []


def ask(
    endpoint: str, params: dict[str, Any] | None = None, record: dict[str, Any] | None = None, **settings: Any
) -> Any:
    """Send one record to an endpoint; what came back, whatever it is."""
    ASKED.add(endpoint)
    time.sleep(PAUSE_S)
    template = next(one for one in TEMPLATES if one.name == endpoint)
    destination = {
        "name": "live",
        "connector": "imagga",
        "endpoint": endpoint,
        "base_url": URL,
        "params": params or {},
        **({"files_root": str(PICTURES)} if any(one.place == "file" for one in template.parameters) else {}),
        **({"save_body": "out"} if template.answers == "file" else {}),
        **settings,
    }
    records = [record or {}] if not isinstance(record, list) else record
    credential = {"api_key": KEY, "api_secret": SECRET, "origins": [URL]}
    return haulier.test_send(destination, records, credential=credential)


def fact(text: str, holds: bool | None, seen: object = "") -> None:
    """Write down whether a fact was confirmed (True), refuted (False) or could not be told (None)."""
    word = {True: "confirmed", False: "REFUTED", None: "not told"}[holds]
    TOLD.append((word, text, str(seen)[:160]))


def delivered(endpoint: str, *given: Any, **more: Any) -> Any:
    """Ask, and write down whether the call is there and answers as described."""
    answer = ask(endpoint, *given, **more)
    good = answer.verdict in ("delivered", "accepted")
    fact(
        f"{endpoint} is answered as described",
        good,
        "" if good else f"{answer.status}: {answer.body[:120]!r}",
    )
    taken = [
        name
        for name in next(one for one in TEMPLATES if one.name == endpoint).takes
        if name not in answer.taken
    ]
    if good and taken:
        fact(f"{endpoint}: its answer has {', '.join(taken)}", False, answer.body[:120])
    return answer


@pytest.fixture(scope="module", autouse=True)
def _told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What was confirmed and refuted, at the end."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("live"))
    yield
    os.chdir(before)
    print(f"\n\n{URL}: {len(ASKED)} of {len(TEMPLATES)} endpoints were asked")
    for word, text, seen in sorted(TOLD):
        print(f"  {word:9}  {text}{f'   [{seen}]' if seen else ''}")


def test_usage_and_quota_headers() -> None:
    answer = delivered("usage", {"concurrency": True})
    headers = dict(answer.headers)
    fact("answers carry Monthly-Limit-Remaining and -Reset", "monthly-limit-remaining" in headers)
    fact("Monthly-Limit-Reset is in Unix seconds", headers.get("monthly-limit-reset", "").isdigit() or None)
    fact("usage tells rps_limit", "rps_limit" in (answer.taken.get("usage") or {}))
    fact("usage tells concurrency.max", "concurrency" in (answer.taken.get("usage") or {}))
    assert answer.status == 200, "without a good key nothing else can be told"


def test_pictures_by_address() -> None:
    by_address = {"image_url": ADDRESS}
    for endpoint in ("tag-image", "extract-colors", "crop-image", "read-text", "read-barcodes"):
        delivered(endpoint, by_address)
    delivered("list-categorizers")
    delivered("categorize-image", by_address | {"categorizer_id": "personal_photos"})
    delivered("moderate-content", by_address)
    cut = delivered("cut-image", by_address | {"resolution": "100x100"})
    fact("cut-image answers with a picture", dict(cut.headers).get("content-type", "").startswith("image/"))
    removed = ask("remove-background", by_address)
    fact(
        "remove-background is for paid plans (403 on a free one)",
        removed.status == 403 or None,
        removed.status,
    )
    posted = ask("tag-feedback", {"image_url": ADDRESS, "tags": ["wind"], "feedback": "positive"})
    fact("tag-feedback exists", posted.status not in (404, 405), posted.status)
    custom = ask("tag-image-custom", by_address | {"tagger_id": "haulier_none"})
    fact("a tagger's id stands in the path", None, f"{custom.status} for an unknown one")


def test_pictures_from_files() -> None:
    uploaded = delivered("upload-image", {"image": "apple.jpg"})
    upload = uploaded.taken.get("upload_id")
    fact("an upload_id begins with i and has 32 characters or so", bool(upload and upload[0] == "i"), upload)
    if upload:
        delivered("detect-faces", {"image_upload_id": upload, "return_face_id": True})
        delivered("delete-upload", {"uploadId": upload})
        again = ask("delete-upload", {"uploadId": upload})
        fact("deleting twice is answered with 404 or 410", again.status in (404, 410), again.status)
        gone = ask("tag-image", {"image_upload_id": upload})
        fact("a deleted upload cannot be used", gone.status >= 400 if gone.status else None, gone.status)
    delivered("tag-image-file", {"image": "apple.jpg"})
    encoded = ask("categorize-image-file", {"image": "apple.jpg", "categorizer_id": "personal_photos"})
    fact("categories takes a file", encoded.status == 200, encoded.status)
    bad = ask("tag-image", {"image_url": "https://example.com/index.html"})
    fact("what is no picture is answered 400", bad.status == 400, bad.status)


def test_faces_people_and_jobs() -> None:
    face = None
    for name in ("meadow.jpg", "city.png"):
        found = delivered("detect-faces-file", {"image": name, "return_face_id": True})
        face = face or found.taken.get("face_id")
    made_up = face or "0" * 32
    compared = ask("compare-faces", {"face_id": made_up, "second_face_id": made_up})
    fact(
        "a face is like itself: score 100",
        compared.taken.get("score") == 100 if face else None,
        compared.status,
    )
    few = ask("group-faces", record=[{"face_id": f"{made_up}"} for _ in range(5)])  # type: ignore[arg-type]
    fact("groupings give a ticket", "ticket_id" in few.taken if face else None, few.status)
    ticket = few.taken.get("ticket_id")
    if ticket:
        polled = delivered("get-ticket", {"ticket_id": ticket})
        for _ in range(20):
            if polled.taken.get("is_final"):
                break
            time.sleep(2)
            polled = ask("get-ticket", {"ticket_id": ticket})
        result = polled.taken.get("ticket_result") or {}
        groups = result.get("groups") if isinstance(result, dict) else None
        fact("groups are lists of face ids", (bool(groups) and isinstance(groups[0], list)) or None, result)
        reread = ask("get-ticket", {"ticket_id": ticket})
        fact("a final result is given once, then 410 or 404", reread.status in (404, 410), reread.status)
    index = {"index_id": "haulier_live"}
    fed = ask("feed-people", index | {"people": "{record.people}"}, {"people": {"one": [made_up]}})
    fact("people are fed with PUT", fed.status == 200 if face else None, fed.status)
    for endpoint, params in (
        ("train-people", index),
        ("search-people", index | {"face_id": made_up}),
        ("get-person", index | {"person_id": "one"}),
        ("delete-face", index | {"person_id": "one", "face_id": made_up}),
        ("delete-person", index | {"person_id": "one"}),
    ):
        answer = ask(endpoint, params)
        fact(f"{endpoint} exists", answer.status not in (None, 405), f"{answer.status}: {answer.body[:80]!r}")


def test_visual_search_and_batches() -> None:
    index = {"categorizer_id": "general_v3", "index_id": "haulier_live"}
    fed = {"categorizer_id": "general_v3", "save_index": "haulier_live", "save_id": "one"}
    delivered("feed-similar-images", fed | {"image_url": ADDRESS})
    for endpoint, params in (
        ("train-similar-images", index),
        ("search-similar-images", index | {"image_url": ADDRESS}),
        ("search-similar-by-entry", index | {"entry_id": "one"}),
        ("delete-similar-entry", index | {"entry_id": "one"}),
        ("delete-similar-index", index),
    ):
        answer = ask(endpoint, params)
        fact(f"{endpoint} exists", answer.status not in (None, 405), f"{answer.status}: {answer.body[:80]!r}")
    batch = ask("start-batch", record={"params": {"image_url": ADDRESS}})
    fact("batches still exist", batch.status == 200, batch.status)


def test_every_call_that_is_not_the_file_form_of_another_was_asked() -> None:
    """A pair of calls by GET and with a file is one endpoint; one of each pair is enough of a free plan's quota."""
    names: Sequence[str] = [one.name for one in TEMPLATES]
    missing = [name for name in names if name not in ASKED and f"{name.removesuffix('-file')}" not in ASKED]
    assert missing == []
