"""The Imagga plugin's definitions say what the facts say, and nothing that is not known."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError
from tests.made import made_request

import haulier
import haulier_imagga
from haulier.cli.app import haulier as command_line
from haulier.testing.conformance import check_plugin
from haulier_imagga import IMAGGA, IMAGGA_KEY, TEMPLATES
from haulier_imagga.hand_made import warnings

BY_NAME = {template.name: template for template in TEMPLATES}
PEOPLE = "/v2/faces/recognition/{index_id}"
SIMILAR = "/v2/similar-images/categories/{categorizer_id}/{index_id}"
SEED = "https://docs.nexla.com/user-guides/connectors/imagga_api/imagga_api_destination"


def test_the_plugin_conforms() -> None:
    assert check_plugin(haulier_imagga) == []


def test_the_calls_are_these() -> None:
    calls = {name: (one.method, one.path, one.content_formats, one.batch) for name, one in BY_NAME.items()}
    files = ("multipart", "form")
    assert calls == {
        "upload-image": ("POST", "/v2/uploads", files, "unit"),
        "delete-upload": ("DELETE", "/v2/uploads/{uploadId}", (), "unit"),
        "tag-image": ("GET", "/v2/tags", (), "unit"),
        "tag-image-file": ("POST", "/v2/tags", files, "unit"),
        "tag-image-custom": ("GET", "/v2/tags/{tagger_id}", (), "unit"),
        "tag-image-custom-file": ("POST", "/v2/tags/{tagger_id}", files, "unit"),
        "tag-feedback": ("POST", "/v2/tags/feedback", ("json",), "unit"),
        "list-categorizers": ("GET", "/v2/categorizers", (), "unit"),
        "categorize-image": ("GET", "/v2/categories/{categorizer_id}", (), "unit"),
        "categorize-image-file": ("POST", "/v2/categories/{categorizer_id}", files, "unit"),
        "moderate-content": ("GET", "/v2/categories/nsfw_beta", (), "unit"),
        "moderate-content-file": ("POST", "/v2/categories/nsfw_beta", files, "unit"),
        "extract-colors": ("GET", "/v2/colors", (), "unit"),
        "extract-colors-file": ("POST", "/v2/colors", files, "unit"),
        "crop-image": ("GET", "/v2/croppings", (), "unit"),
        "crop-image-file": ("POST", "/v2/croppings", files, "unit"),
        "cut-image": ("GET", "/v2/croppings", (), "unit"),
        "cut-image-file": ("POST", "/v2/croppings", files, "unit"),
        "remove-background": ("GET", "/v2/remove-background", (), "unit"),
        "remove-background-file": ("POST", "/v2/remove-background", files, "unit"),
        "read-text": ("GET", "/v2/text", (), "unit"),
        "read-text-file": ("POST", "/v2/text", files, "unit"),
        "read-barcodes": ("GET", "/v2/barcodes", (), "unit"),
        "detect-faces": ("GET", "/v2/faces/detections", (), "unit"),
        "detect-faces-file": ("POST", "/v2/faces/detections", files, "unit"),
        "compare-faces": ("GET", "/v2/faces/similarity", (), "unit"),
        "group-faces": ("POST", "/v2/faces/groupings", ("json",), "whole"),
        "feed-people": ("PUT", PEOPLE, ("json",), "unit"),
        "train-people": ("POST", PEOPLE, (), "unit"),
        "search-people": ("GET", PEOPLE, (), "unit"),
        "get-person": ("GET", f"{PEOPLE}/{{person_id}}", (), "unit"),
        "delete-person": ("DELETE", f"{PEOPLE}/{{person_id}}", (), "unit"),
        "delete-face": ("DELETE", f"{PEOPLE}/{{person_id}}/{{face_id}}", (), "unit"),
        "feed-similar-images": ("GET", "/v2/categories/{categorizer_id}", (), "unit"),
        "feed-similar-images-file": ("POST", "/v2/categories/{categorizer_id}", files, "unit"),
        "train-similar-images": ("PUT", SIMILAR, (), "unit"),
        "search-similar-images": ("GET", SIMILAR, (), "unit"),
        "search-similar-images-file": ("POST", SIMILAR, files, "unit"),
        "search-similar-by-entry": ("GET", f"{SIMILAR}/{{entry_id}}", (), "unit"),
        "delete-similar-entry": ("DELETE", f"{SIMILAR}/{{entry_id}}", (), "unit"),
        "delete-similar-index": ("DELETE", SIMILAR, (), "unit"),
        "start-batch": ("POST", "/v2/batches", ("json",), "container"),
        "get-ticket": ("GET", "/v2/tickets/{ticket_id}", (), "unit"),
        "usage": ("GET", "/v2/usage", (), "unit"),
    }


def test_what_is_not_established_is_marked() -> None:
    assert {name for name, one in BY_NAME.items() if not one.verified} == {
        "tag-feedback",
        "moderate-content",
        "moderate-content-file",
        "tag-image-custom",
        "tag-image-custom-file",
        "start-batch",
    }
    assert BY_NAME["tag-feedback"].source == SEED


def test_every_definition_says_where_and_when_it_was_read() -> None:
    assert {one.read_on for one in TEMPLATES} == {date(2026, 11, 22)}
    assert all(one.source.startswith("https://") for one in TEMPLATES)


def test_booleans_go_out_as_digits_everywhere() -> None:
    assert {one.booleans for one in TEMPLATES} == {"digits"}


@pytest.mark.parametrize(
    "name",
    [
        "tag-image",
        "tag-image-custom",
        "categorize-image",
        "moderate-content",
        "extract-colors",
        "crop-image",
        "cut-image",
        "remove-background",
        "detect-faces",
        "feed-similar-images",
        "search-similar-images",
    ],
)
def test_exactly_one_picture_is_named_on_get_and_sent_on_post(name: str) -> None:
    by_reference, by_content = BY_NAME[name], BY_NAME[f"{name}-file"]
    assert by_reference.one_of == (("image_url", "image_upload_id"),)
    assert by_content.one_of == (("image", "image_base64"),)
    assert {one.name: one.place for one in by_content.parameters if one.name.startswith("image")} == {
        "image": "file",
        "image_base64": "body",
    }
    assert by_reference.takes == by_content.takes
    options = [
        [one for one in template.parameters if not one.name.startswith("image")]
        for template in (by_reference, by_content)
    ]
    assert options[0] == options[1]


def test_what_is_taken_out_of_answers() -> None:
    assert {name: dict(one.takes) for name, one in BY_NAME.items() if not name.endswith("-file")} == {
        "upload-image": {"upload_id": "/result/upload_id"},
        "delete-upload": {},
        "tag-feedback": {},
        "group-faces": {"ticket_id": "/result/ticket_id"},
        "tag-image": {"tags": "/result/tags"},
        "tag-image-custom": {"tags": "/result/tags"},
        "list-categorizers": {"categorizers": "/result/categorizers"},
        "extract-colors": {
            "colors": "/result/colors",
            "image_colors": "/result/colors/image_colors",
            "main_color": "/result/colors/image_colors/0/html_code",
            "main_color_name": "/result/colors/image_colors/0/closest_palette_color",
        },
        "crop-image": {"croppings": "/result/croppings"},
        "cut-image": {},
        "remove-background": {},
        "read-text": {"text": "/result/text"},
        "read-barcodes": {"barcodes": "/result/barcodes"},
        "compare-faces": {"score": "/result/score"},
        "feed-people": {},
        "train-people": {"ticket_id": "/result/ticket_id"},
        "search-people": {"people": "/result/people"},
        "get-person": {"person": "/result"},
        "delete-person": {},
        "delete-face": {},
        "feed-similar-images": {"categories": "/result/categories"},
        "train-similar-images": {"ticket_id": "/result/ticket_id"},
        "search-similar-images": {"found": "/result"},
        "search-similar-by-entry": {"found": "/result"},
        "delete-similar-entry": {},
        "delete-similar-index": {},
        "start-batch": {"ticket_id": "/result/ticket_id"},
        "categorize-image": {"categories": "/result/categories"},
        "moderate-content": {
            "categories": "/result/categories",
            "category": "/result/categories/0/name/en",
            "confidence": "/result/categories/0/confidence",
        },
        "detect-faces": {"faces": "/result/faces", "face_id": "/result/faces/0/face_id"},
        "get-ticket": {"is_final": "/result/is_final", "ticket_result": "/result/ticket_result"},
        "usage": {
            "usage": "/result",
            "monthly_limit": "/result/monthly_limit",
            "billing_period_end": "/result/billing_period_end",
        },
    }


def test_faces_are_grouped_in_one_call_of_at_least_five_ids() -> None:
    faces = BY_NAME["group-faces"]
    assert faces.batching == {
        "grouping": {"name": "property", "property_name": "faces"},
        "item": "face_id",
    }
    assert (faces.batch, faces.minimum_records, faces.ticket) == ("whole", 5, "/result/ticket_id")
    assert (faces.item_type, BY_NAME["start-batch"].item_type) == ("text", "object")


def test_only_what_cannot_be_undone_says_so() -> None:
    assert {name for name, one in BY_NAME.items() if one.irreversible} == {
        name for name, one in BY_NAME.items() if one.method == "DELETE"
    }


def test_what_repeating_leaves_behind_or_takes_away_is_said() -> None:
    """A second copy of an upload, a second job, a second vote; and a result that is given once."""
    assert {name for name, one in BY_NAME.items() if not one.idempotent} == {
        "upload-image",
        "group-faces",
        "train-people",
        "train-similar-images",
        "start-batch",
        "tag-feedback",
        "get-ticket",
    }


def test_the_connector_is_gentle_and_knows_the_quota_headers() -> None:
    assert (IMAGGA.origin, IMAGGA.credential_type) == ("https://api.imagga.com", "imagga")
    assert IMAGGA.limits == {"requests_per_second": 1, "max_in_flight": 1}
    assert IMAGGA.quota_headers == {
        "limit": "monthly-limit",
        "remaining": "monthly-limit-remaining",
        "reset_epoch": "monthly-limit-reset",
    }


def test_key_and_secret_become_a_basic_header() -> None:
    key = IMAGGA_KEY.settings.model_validate({"api_key": " acc_1\n", "api_secret": "s3cret"})
    assert IMAGGA_KEY.apply(made_request(), key, 0.0).headers == (
        ("Authorization", "Basic YWNjXzE6czNjcmV0"),
    )
    assert (IMAGGA_KEY.origins, IMAGGA_KEY.check) == (("https://api.imagga.com",), "imagga/usage")
    assert "s3cret" not in repr(key)


@pytest.mark.parametrize(
    "values",
    [
        {"api_key": "", "api_secret": "s3cret"},
        {"api_key": "acc_1:s3cret", "api_secret": "s3cret"},
        {"api_key": "acc 1", "api_secret": "s3cret"},
        {"api_key": "acc_1", "api_secret": "s3cret\x00"},
        {"api_key": "acc_1", "api_secret": "s3crét"},
        {"api_key": "acc_1"},
    ],
)
def test_a_wrong_key_is_refused_without_showing_it(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        IMAGGA_KEY.settings.model_validate(values)
    assert "s3cr" not in str(caught.value)


OFF_V2 = "/tags does not begin with /v2/, as Imagga's calls do"
NO_JSON = (
    "/v2/tags is not known to take json: a picture goes there as multipart (file part `image`) or as form "
    "(field `image_base64`)"
)
USE_GET = (
    "where records name their picture by image_url or image_upload_id, /v2/tags is asked with GET, "
    "which puts them into the query: write `method: GET`"
)
NO_URLS = "/v2/uploads is not known to take an image_url: analyse it with GET /v2/tags?image_url=..."
NSFW = (
    "nsfw_beta is no longer listed in Imagga's documentation, which lists adult_content: "
    "/v2/categories/adult_content"
)


@pytest.mark.parametrize(
    ("method", "path", "content_format", "told"),
    [
        ("GET", "/v2/tags", "none", ()),
        ("GET", "/v2/tags?image_url={record.url}", "", ()),
        ("POST", "/v2/tags", "multipart", ()),
        ("POST", "/v2/tags", "form", (USE_GET,)),
        ("POST", "/v2/tags", "json", (NO_JSON, USE_GET)),
        ("POST", "/v2/tags?image_url={record.url}", "multipart", (USE_GET,)),
        ("GET", "/tags", "none", (OFF_V2,)),
        ("GET", "/V2/tags/", "none", ("/V2/tags/ does not begin with /v2/, as Imagga's calls do",)),
        ("GET", "/x/v2/tags", "none", ("/x/v2/tags does not begin with /v2/, as Imagga's calls do",)),
        ("POST", "/v2/uploads", "multipart", ()),
        ("POST", "/v2/uploads", "form", (NO_URLS,)),
        (
            "POST",
            "/v2/uploads",
            "json",
            (
                "/v2/uploads takes multipart (file part `image`) or form (field `image_base64`), not json",
                NO_URLS,
            ),
        ),
        ("DELETE", "/v2/uploads/{record.upload_id}", "none", ()),
        ("POST", "/v2/faces/groupings", "json", ()),
        ("POST", "/v2/faces/groupings", "form", ("/v2/faces/groupings takes json, not form",)),
        ("PUT", "/v2/faces/recognition/people", "json", ()),
        (
            "DELETE",
            "/v2/faces/recognition/people",
            "none",
            (
                "/v2/faces/recognition/people is not known to be asked with DELETE, but with GET or POST or PUT",
            ),
        ),
        ("DELETE", "/v2/faces/recognition/people/{record.who}", "none", ()),
        (
            "GET",
            "/v2/tag",
            "none",
            ("/v2/tag is no call that is known of Imagga's version 2; did you mean /v2/tags?",),
        ),
        (
            "GET",
            "/v2/tags/feedback",
            "none",
            ("/v2/tags/feedback is not known to be asked with GET, but with POST",),
        ),
        ("GET", "/v2/barcodes?image_url={record.url}", "none", ()),
        ("POST", "/v2/tags/feedback", "json", ()),
        ("GET", "/v2/categories/nsfw_beta", "none", (NSFW,)),
        ("GET", "/v2/usage", "none", ()),
    ],
)
def test_a_hand_made_request_is_warned_about(
    method: str, path: str, content_format: str, told: tuple[str, ...]
) -> None:
    assert warnings(method, f"https://api.imagga.com{path}", content_format) == told


IMAGE_URL_BY_POST = (
    "POST /v2/tags is not known to take `image_url`; it goes with GET, in the query (endpoint tag-image)"
)
NO_FILE = "POST /v2/tags is not asked for without one of image, image_base64 (endpoint tag-image-file)"
NO_PICTURE = "GET /v2/tags is not asked for without one of image_url, image_upload_id (endpoint tag-image)"


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"method": "GET", "url": "/v2/tags?image_url={record.url}&limit=3"}, ()),
        ({"method": "GET", "url": "/v2/tags?image_upload_id={record.id}&tagger_id=mine"}, ()),
        ({"method": "GET", "url": "/v2/tags"}, (NO_PICTURE,)),
        ({"method": "GET", "url": "/v2/tags", "attributes": "query"}, ()),
        (
            {"method": "GET", "url": "/v2/tags?image_ur={record.url}"},
            ("GET /v2/tags is not known to take `image_ur`; did you mean `image_url`?", NO_PICTURE),
        ),
        (
            {"method": "POST", "url": "/v2/tags", "content_format": "multipart", "body": {"image_url": "x"}},
            (IMAGE_URL_BY_POST, NO_FILE),
        ),
        (
            {"method": "POST", "url": "/v2/tags?image_url=x", "content_format": "multipart"},
            (USE_GET, NO_FILE),
        ),
        (
            {
                "method": "POST",
                "url": "/v2/tags?verbose=1",
                "content_format": "multipart",
                "files": {"image": "x"},
            },
            (),
        ),
        ({"method": "GET", "url": "/v2/croppings?image_url=x&image_result=1&resolution=9x9"}, ()),
        ({"method": "POST", "url": "/v2/tags/feedback", "content_format": "json", "body": {"mine": "x"}}, ()),
    ],
)
def test_the_fields_of_a_hand_made_request_are_held_against_the_call_it_is(
    request_: dict[str, Any], told: tuple[str, ...]
) -> None:
    request = {"attributes": "none", **request_, "url": f"https://api.imagga.com{request_['url']}"}
    destination = {"name": "by-hand", "connector": "imagga", "request": request, "files_root": "."}
    assert haulier.check(destination).warnings == told


def test_below_another_host_a_base_path_may_come_first() -> None:
    assert warnings("GET", "http://127.0.0.1:8123/gateway/v2/tags", "none") == ()


def test_the_readme_lists_every_call() -> None:
    readme = (Path(__file__).parents[3] / "plugins" / "imagga" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"`([a-z-]+)`( \*)?", "".join(re.findall(r"(?m)^\| .*$", readme)))
    assert {name: bool(star) for name, star in listed} == {one.name: not one.verified for one in TEMPLATES}


def test_the_command_that_a_page_shows_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    run = CliRunner()
    assert run.invoke(command_line, ["init"]).exit_code == 0
    values = ["--value", "api_key=acc_1", "--value", "api_secret=2"]
    assert run.invoke(command_line, ["credential", "add", "imagga", *values]).exit_code == 0
    for template in TEMPLATES:
        page = run.invoke(command_line, ["endpoints", "imagga", template.name]).output
        program, *words = shlex.split(page.splitlines()[-1].removeprefix("use it: "))
        made = run.invoke(command_line, words)
        assert (program, made.exit_code) == ("haulier", 0), (template.name, made.output)
        assert haulier.check(template.name).problems == (), template.name


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("upload.result.upload_id", ""),
        ("upload.result.upload_idd", "result.upload_id"),
        ("upload.upload_id", "result.upload_id"),
        ("upload.result", ""),
        ("upload.status.text", ""),
        ("name", ""),
    ],
)
def test_a_path_into_an_answer_that_is_nearly_a_known_one_is_asked_about(path: str, meant: str) -> None:
    stages = [
        {
            "name": "upload",
            "endpoint": "upload-image",
            "files_root": ".",
            "params": {"image": "{record.file}"},
        },
        {"name": "tag", "endpoint": "tag-image", "params": {"image_upload_id": f"{{record.{path}}}"}},
    ]
    warnings = haulier.check({"name": "chain", "connector": "imagga", "stages": stages}).warnings
    told = f"stage `tag`: {{record.{path}}}: the answer of stage `upload` is known to have {meant}; is that meant?"
    assert warnings == ((told,) if meant else ())


@pytest.mark.parametrize(
    ("url", "own", "told"),
    [
        ("https://shop.example/products", {}, ()),
        (
            "https://api.imagga.com/tags",
            {},
            ("stage `keep`: /tags does not begin with /v2/, as Imagga's calls do",),
        ),
        (
            "https://gateway.example/pictures",
            {"connector": "imagga"},
            ("stage `keep`: /pictures does not begin with /v2/, as Imagga's calls do",),
        ),
    ],
)
def test_a_stage_made_by_hand_for_another_service_is_not_held_against_the_connector_of_the_chain(
    url: str, own: dict[str, str], told: tuple[str, ...]
) -> None:
    """Unless it names that connector itself: then the other host is an emulator or a gateway."""
    stages = [
        {"name": "tag", "endpoint": "tag-image", "params": {"image_url": "{record.url}"}},
        {"name": "keep", **own, "request": {"method": "POST", "url": url}, "credential": "none"},
    ]
    checked = haulier.check({"name": "chain", "connector": "imagga", "stages": stages})
    assert tuple(one for one in checked.warnings if one.startswith("stage `keep`") and "/v2/," in one) == told


def test_a_name_that_two_stages_take_out_of_their_answers_is_warned_of_where_an_output_would_get_one() -> (
    None
):
    stages = [
        {"name": "tag", "endpoint": "tag-image", "params": {"image_url": "{record.url}"}},
        {"name": "colours", "endpoint": "extract-colors", "params": {"image_url": "{record.url}"}},
        {"name": "again", "endpoint": "tag-image", "params": {"image_url": "{record.url}"}},
    ]
    chain = {"name": "chain", "connector": "imagga", "stages": stages}
    assert haulier.check(chain).warnings == ()
    assert haulier.check({**chain, "outputs": [{"to": "jsonl", "path": "out/x.jsonl"}]}).warnings == (
        "outputs: stages `tag` and `again` both take `tags` out of their answers, and a line has that of `tag`; for "
        "both, write `answer: true` or `outputs` in stage `again`",
    )


@pytest.mark.parametrize(
    ("written", "bodies"),
    [
        (None, ['{"/tags":[{"params":{"n":0}},{"params":{"n":1}}]}']),
        ({"size": 1}, ['{"/tags":[{"params":{"n":0}}]}', '{"/tags":[{"params":{"n":1}}]}']),
        (
            {"grouping": {"name": "property", "property_name": "/colors"}},
            ['{"/colors":[{"params":{"n":0}},{"params":{"n":1}}]}'],
        ),
    ],
)
def test_batching_that_says_a_part_leaves_the_rest_as_the_call_has_it(
    written: dict[str, Any] | None, bodies: list[str]
) -> None:
    made = {"name": "b", "connector": "imagga", "endpoint": "start-batch"}
    records = [{"params": {"n": number}} for number in range(2)]
    shown = haulier.preview(made | ({"batching": written} if written else {}), records, n=2)
    assert [one.body.decode() for one in shown.samples if isinstance(one.body, bytes)] == bodies
