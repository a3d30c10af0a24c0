"""What the emulator does of the calls about crops, words, people, visual search and batches, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.plugins.imagga.test_emulator_imagga import PNG, Client

import haulier
from haulier_imagga.emulator import ImaggaEmulator, serve
from haulier_imagga.emulator.fixtures import RunningEmulator, imagga_emulator  # noqa: F401 - a fixture

URL = "https://example.com/pictures/beach.jpg"


@pytest.fixture(scope="module")
def asked() -> Iterator[Client]:
    """One emulator for all."""
    with serve(ImaggaEmulator(polls=0)) as server:
        yield Client(server.port)


def faces(client: Client, count: int) -> list[str]:
    """Ids of faces that were detected."""
    found: list[str] = []
    for number in range(count):
        result = client.get("/faces/detections", image_url=f"{URL}?{number}", return_face_id=1).result
        found += [face["face_id"] for face in result["faces"]]
    return found[:count]


def put_json(client: Client, path: str, value: object) -> Any:
    import json

    return client.ask("PUT", f"/v2{path}", json.dumps(value).encode(), Content_Type="application/json")


def test_croppings_are_inside_the_picture_and_of_the_wanted_shape(asked: Client) -> None:
    found = asked.get("/croppings", image_url=URL, resolution="500x300,100x100").result["croppings"]
    assert [(one["target_width"], one["target_height"]) for one in found] == [(500, 300), (100, 100)]
    for one in found:
        assert 0 <= one["x1"] < one["x2"] <= 1000
        assert 0 <= one["y1"] < one["y2"] <= 1000
    assert asked.get("/croppings", image_url=URL).status == 200, "a resolution is not required"
    assert asked.get("/croppings", image_url=URL, resolution="wide").refusal[0] == 400


def test_a_crop_may_be_a_picture_instead_of_json(asked: Client) -> None:
    answer = asked.get("/croppings", image_url=URL, resolution="20x10", image_result=1)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    assert answer.body.startswith(b"\x89PNG\r\n")
    assert int.from_bytes(answer.body[16:20]) == 20


def test_backgrounds_are_removed_on_paid_plans(asked: Client) -> None:
    answer = asked.post_parts("/remove-background", ("image", "a.png", PNG))
    assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    with serve(ImaggaEmulator(free_plan=True)) as server:
        assert Client(server.port).get("/remove-background", image_url=URL).refusal[0] == 403


def test_text_is_read_from_an_address_or_a_file_and_not_from_an_upload(asked: Client) -> None:
    assert asked.get("/text", image_url=URL).result["text"][0]["data"].isupper()
    assert asked.post_parts("/text", ("image", "a.png", PNG)).status == 200
    assert asked.get("/text", image_upload_id=asked.upload()).refusal[0] == 400


def test_a_barcode_has_a_right_check_digit(asked: Client) -> None:
    (code,) = asked.get("/barcodes", image_upload_id=asked.upload()).result["barcodes"]
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(code["data"]))
    assert (code["type"], len(code["data"]), total % 10) == ("EAN13", 13, 0)


def test_a_tagger_of_ones_own_has_words_of_its_own(asked: Client) -> None:
    usual = asked.get("/tags", image_url=URL).result
    own = asked.get("/tags/my_tagger", image_url=URL).result
    assert usual != own
    assert own == asked.get("/tags/my_tagger", image_url=URL).result
    assert own == asked.get("/tags", image_url=URL, tagger_id="my_tagger").result


def test_how_alike_two_faces_are_does_not_depend_on_their_order(asked: Client) -> None:
    one, other = faces(asked, 2)
    score = asked.get("/faces/similarity", face_id=one, second_face_id=other).result["score"]
    assert 0 <= score <= 100
    assert asked.get("/faces/similarity", face_id=other, second_face_id=one).result["score"] == score
    assert asked.get("/faces/similarity", face_id=one, second_face_id=one).result["score"] == 100
    assert asked.get("/faces/similarity", face_id=one, second_face_id="made up").refusal[0] == 400


def test_people_are_fed_trained_found_and_deleted(asked: Client) -> None:
    anna, bert, other = faces(asked, 3)
    path = "/faces/recognition/staff"
    assert asked.get(path, face_id=anna).refusal[0] == 404
    assert put_json(asked, path, {"people": {"anna": [anna], "bert": [bert, other]}}).status == 200
    assert asked.get(path, face_id=anna).result["people"] == [], "not trained yet"
    ticket = asked.ask("POST", f"/v2{path}").result["ticket_id"]
    assert asked.get(f"/tickets/{ticket}").result["is_final"] is True
    found = asked.get(path, face_id=anna).result["people"]
    assert (found[0]["id"], found[0]["score"]) == ("anna", 100)
    assert asked.get(path, face_id=anna, count=1, offset=1).result["people"][0]["id"] == "bert"
    assert asked.get(f"{path}/bert").result == {"id": "bert", "faces": [bert, other]}
    assert asked.ask("DELETE", f"/v2{path}/bert/{other}").status == 200
    assert asked.get(f"{path}/bert").result["faces"] == [bert]
    assert asked.ask("DELETE", f"/v2{path}/bert/{other}").refusal[0] == 404
    assert asked.ask("DELETE", f"/v2{path}/anna").status == 200
    assert asked.get(f"{path}/anna").refusal[0] == 404


def test_pictures_are_fed_trained_found_and_deleted(asked: Client) -> None:
    index = "/similar-images/categories/general_v3/catalogue"
    for number in range(3):
        fed = asked.get(
            "/categories/general_v3",
            image_url=f"{URL}?{number}",
            save_index="catalogue",
            save_id=f"p{number}",
        )
        assert fed.status == 200
    assert asked.get("/categories/general_v3", image_url=URL, save_index="catalogue").refusal[0] == 400
    assert asked.get(index, image_url=f"{URL}?1").result["images"] == [], "not trained yet"
    assert asked.ask("PUT", f"/v2{index}").result["ticket_id"]
    found = asked.get(index, image_url=f"{URL}?1", count=2).result
    assert (found["images"][0], len(found["images"]), found["count"]) == ({"id": "p1", "distance": 0.0}, 2, 3)
    assert asked.get(f"{index}/p2").result["images"][0]["id"] == "p2"
    assert asked.post_parts(index, ("image", "a.png", PNG)).status == 200
    assert asked.ask("DELETE", f"/v2{index}/p2").status == 200
    assert asked.ask("DELETE", f"/v2{index}/p2").refusal[0] == 404
    assert asked.ask("DELETE", f"/v2{index}").status == 200
    assert asked.get(index, image_url=URL).refusal[0] == 404


def test_a_batch_carries_the_envelopes_of_its_calls(asked: Client) -> None:
    items = [{"params": {"image_url": URL, "limit": 1}}, {"params": {}}]
    ticket = asked.post_json("/batches", {"/tags": items}).result["ticket_id"]
    first, second = asked.get(f"/tickets/{ticket}").result["ticket_result"]["/tags"]
    assert first["result"] == asked.get("/tags", image_url=URL, limit=1).result
    assert (list(second), second["status"]["type"]) == (["status"], "error")
    assert asked.post_json("/batches", {"/usage": items}).refusal[0] == 400


def test_the_fixture_is_all_that_a_program_needs(
    imagga_emulator: RunningEmulator,  # noqa: F811 - the fixture
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    destination = imagga_emulator.to("tag-image", params={"image_url": "{record.url}"})
    assert haulier.send(destination, [{"url": URL}], credential=imagga_emulator.credential).ok
    assert [one.path for one in imagga_emulator.requests] == ["/v2/tags"]
