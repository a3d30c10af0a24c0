"""What there is: connectors, endpoints, encoders, groupings, and a project to begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.running import Project

from haulier.cli.printing import clean, facts, seconds_text, table


def test_init_makes_a_project_once(project: Project, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    told = project.run("init", "../new", "--json")
    root = tmp_path / "new"
    made = [str(root / name) for name in ("haulier.yaml", "destinations", ".haulier")]
    assert told.json == {"shape": 1, "root": str(root), "made": made}
    assert project.run("init", "../new").out.startswith(f"{root} is a project already\n")


def test_connectors_are_listed_and_one_is_shown(project: Project) -> None:
    listed = project.run("connectors").out
    assert [line.split()[0] for line in listed.splitlines()] == ["name", "http", "imagga"]
    one = project.run("connectors", "imagga", "--json").json
    assert (one["shape"], [each["name"] for each in one["connectors"]]) == (1, ["imagga"])
    assert "tag-image" in one["connectors"][0]["endpoints"]
    assert "https://api.imagga.com" in project.run("connectors", "imagga").out


def test_an_endpoint_tells_a_newcomer_all_there_is_to_know(project: Project) -> None:
    page = project.run("endpoints", "imagga", "delete-upload").out
    for said in (
        "call        DELETE https://api.imagga.com/v2/uploads/{uploadId}",
        "CANNOT BE UNDONE: A deleted upload cannot be recovered",
        "  uploadId  (required, path, text)",
        "facts       verified, read 2026-11-22 at https://",
        "use it: haulier destination new delete-upload --connector imagga --endpoint delete-upload --credential imagga "
        "--param 'uploadId={record.upload_id}'",
    ):
        assert said in page
    page = project.run("endpoints", "imagga", "upload-image").out
    assert "taken       upload_id (from /result/upload_id)" in page
    assert "exactly one of: image, image_base64" in page
    assert "UNVERIFIED" in project.run("endpoints", "imagga", "tag-feedback").out
    values = project.run("endpoints", "imagga", "tag-image", "--json").json["endpoints"][0]
    assert (values["method"], values["path"], values["takes"]) == (
        "GET",
        "/v2/tags",
        {"tags": "/result/tags"},
    )
    assert project.run("endpoints", "http").out.startswith("Any HTTP API: no endpoint templates")


def test_encoders_and_groupings_are_listed_with_their_settings(project: Project) -> None:
    encoders = project.run("encoders", "--json").json["encoders"]
    assert {one["name"] for one in encoders} >= {"json", "form", "multipart"}
    assert "default 'refuse'" in project.run("encoders", "form").out
    grouping = project.run("groupings", "property", "--json").json["groupings"][0]
    assert [(one["name"], one["required"]) for one in grouping["settings"]] == [
        ("property_name", True),
        ("other_props", False),
    ]
    assert "  property_name  (string, required)\n" in project.run("groupings", "property").out


@pytest.mark.parametrize(
    "text", ["\x1b[31m", "\x00", "\x9b31m", "\u202eabc", "\u2028", "\ufeff", "\r", "\x7f"]
)
def test_clean_leaves_no_control_character(text: str) -> None:
    assert clean(f"a{text}b") in {"ab", "a[31mb", "a31mb", "aabcb"}
    assert clean("a\tb\nc é 中") == "a\tb\nc é 中"


def test_tables_align_numbers_to_the_right_and_count_wide_characters() -> None:
    assert table(("name", "count"), [("中文", 1234), ("abc", 5)]) == [
        "name  count",
        "中文  1,234",
        "abc       5",
    ]
    assert facts([("a", "one\ntwo"), ("long", 3)]) == ["a     one\n      two", "long  3"]
    assert [seconds_text(value) for value in (0.42, 61, 7500)] == ["0.4 s", "1 min 1 s", "2 h 5 min"]
