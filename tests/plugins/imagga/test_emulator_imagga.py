"""The Imagga emulator over real sockets: each test names a rule of the service, as far as it is known."""

from __future__ import annotations

import base64
import http.client
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from haulier_imagga.emulator import (
    DEMO_KEY,
    DEMO_SECRET,
    ENDPOINTS,
    Clock,
    EmulatorError,
    Fault,
    ImaggaEmulator,
    Limits,
    serve,
)

DAY_S = 24 * 3600
START = datetime(2026, 1, 31, 12, tzinfo=UTC)
SUCCESS = {"text": "", "type": "success"}
FORM = "application/x-www-form-urlencoded"


def png(width: int = 3, height: int = 2) -> bytes:
    """A whole PNG file, all black."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\x00" + bytes(width) for _ in range(height)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    """A JPEG file as far as its frame header."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc0" + struct.pack(">H", 2 + len(frame)) + frame + b"\xff\xd9"


PNG = png()
GIF = b"GIF89a" + struct.pack("<HH", 10, 10) + b"\x00\x00\x00;"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def result(self) -> Any:
        assert (self.status, self.json["status"]) == (200, SUCCESS), self.body
        return self.json["result"]

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and text, after checking that the envelope is that of an error."""
        assert list(self.json) == ["status"]
        assert self.json["status"]["type"] == "error"
        return self.status, self.json["status"]["text"]


class Client:
    """Signs in and asks one emulator, one connection for each call."""

    def __init__(self, port: int, key: str = DEMO_KEY, secret: str = DEMO_SECRET) -> None:
        self.port = port
        self.headers = {"Authorization": "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()}

    def ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, target, body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **query: object) -> Answer:
        return self.ask("GET", f"/v2{path}?{urlencode(query)}")

    def post_form(self, path: str, fields: dict[str, str], **query: object) -> Answer:
        return self.ask(
            "POST", f"/v2{path}?{urlencode(query)}", urlencode(fields).encode(), Content_Type=FORM
        )

    def post_json(self, path: str, value: object) -> Answer:
        body = json.dumps(value).encode()
        return self.ask("POST", f"/v2{path}", body, Content_Type="application/json")

    def post_parts(self, path: str, *parts: tuple[str, str | None, bytes], **query: object) -> Answer:
        """Send (name, file name or None, bytes) as multipart."""
        body = b""
        for name, file_name, data in parts:
            of_file = f'; filename="{file_name}"' if file_name is not None else ""
            body += (
                f'--x\r\nContent-Disposition: form-data; name="{name}"{of_file}\r\n\r\n'.encode()
                + data
                + b"\r\n"
            )
        target = f"/v2{path}?{urlencode(query)}"
        return self.ask("POST", target, body + b"--x--\r\n", Content_Type="multipart/form-data; boundary=x")

    def upload(self, picture: bytes = PNG) -> str:
        return str(self.post_parts("/uploads", ("image", "a.png", picture)).result["upload_id"])


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[ImaggaEmulator, Client]]:
    emulator = ImaggaEmulator(clock=Clock.virtual(START), monthly_limit=100_000)
    with serve(emulator) as server:
        yield emulator, Client(server.port)


@pytest.fixture
def emulator(shared: tuple[ImaggaEmulator, Client]) -> ImaggaEmulator:
    shared[0].faults.clear()
    shared[0].log.clear()
    return shared[0]


@pytest.fixture
def client(emulator: ImaggaEmulator, shared: tuple[ImaggaEmulator, Client]) -> Client:
    return shared[1]


# --- signing in, envelope, methods ---


@pytest.mark.parametrize("header", ["", "Basic YTpi"])
def test_who_does_not_sign_in_gets_401_and_no_limit_headers(client: Client, header: str) -> None:
    answer = client.ask("GET", "/v2/usage", Authorization=header)
    assert answer.refusal[0] == 401
    assert "monthly-limit" not in answer.headers


def test_a_success_is_an_envelope_of_result_and_status(client: Client) -> None:
    answer = client.get("/tags", image_url="http://example.com/a.jpg", limit=1)
    assert sorted(answer.json) == ["result", "status"]
    assert answer.json["status"] == SUCCESS
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


def test_success_and_refusal_both_carry_the_monthly_limit_headers(client: Client) -> None:
    reset = str(int(datetime(2026, 2, 1, tzinfo=UTC).timestamp()))
    for answer in (client.get("/usage"), client.get("/tags"), client.get("/nothing")):
        assert answer.headers["monthly-limit"] == "100000"
        assert 0 < int(answer.headers["monthly-limit-remaining"]) <= 100_000
        assert answer.headers["monthly-limit-reset"] == reset


@pytest.mark.parametrize(
    "target", ["/", "/v2", "/v2/", "/v2/tags/", "/v2/categories", "/v2/uploads/", "/v1/tagging"]
)
def test_an_unknown_path_is_404_in_an_envelope(client: Client, target: str) -> None:
    assert client.ask("GET", target).refusal[0] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/uploads"),
        ("DELETE", "/uploads"),
        ("GET", "/uploads/i05e"),
        ("PUT", "/tags"),
        ("GET", "/tags/feedback"),
        ("POST", "/categorizers"),
        ("GET", "/faces/groupings"),
        ("POST", "/tickets/x"),
        ("POST", "/usage"),
        ("HEAD", "/usage"),
    ],
)
def test_a_method_an_endpoint_does_not_have_is_405(client: Client, method: str, path: str) -> None:
    assert client.ask(method, f"/v2{path}").status == 405


def test_a_format_other_than_json_is_406(client: Client) -> None:
    assert client.ask("GET", "/v2/usage", Accept="text/html").refusal[0] == 406
    assert client.ask("GET", "/v2/usage", Accept="text/html, */*;q=0.8").status == 200


# --- which image ---

ANALYSES = ["/tags", "/categories/nsfw_beta", "/faces/detections", "/colors"]
BASE64 = base64.b64encode(PNG).decode()


@pytest.mark.parametrize("path", ANALYSES)
def test_all_four_inputs_are_taken_and_three_of_them_say_the_same(client: Client, path: str) -> None:
    upload_id = client.upload()
    by_upload = client.get(path, image_upload_id=upload_id).result
    assert client.post_parts(path, ("image", "a.png", PNG)).result == by_upload
    assert client.post_form(path, {"image_base64": BASE64}).result == by_upload
    assert client.post_parts(path, ("image_base64", None, BASE64.encode())).result == by_upload
    assert client.get(path, image_url="https://example.com/a.png").result != by_upload


@pytest.mark.parametrize("path", ANALYSES)
def test_no_image_and_two_images_are_refused(client: Client, path: str) -> None:
    upload_id = client.upload()
    answers = [
        client.get(path),
        client.get(path, image_url="http://example.com/a.png", image_upload_id=upload_id),
        client.ask("GET", f"/v2{path}?image_url=http://a/1&image_url=http://a/2"),
        client.post_form(path, {}),
        client.ask("POST", f"/v2{path}"),
        client.post_parts(path, ("image", "a.png", PNG), ("image_base64", None, BASE64.encode())),
        client.post_parts(path, ("image", "a.png", PNG), ("image", "b.png", PNG)),
        client.post_parts(path, ("picture", "a.png", PNG)),
    ]
    assert [answer.refusal[0] for answer in answers] == [400] * len(answers)
    assert answers[1].refusal[1] == "exactly one image is needed as image_url or image_upload_id, not 2"


def test_a_url_or_an_upload_id_is_no_input_of_post_nor_a_picture_of_get(client: Client) -> None:
    url = {"image_url": "http://example.com/a.png"}
    answers = [
        client.post_form("/tags", url),
        client.post_form("/tags", {}, **url),
        client.post_form("/tags", {"image_upload_id": client.upload()}),
        client.get("/tags", image_base64=BASE64),
        client.post_json("/tags", {"image_base64": BASE64}),
    ]
    assert [answer.refusal[0] for answer in answers] == [400] * 5


def test_inputs_no_source_shows_to_work_are_taken_when_asked_for() -> None:
    with serve(ImaggaEmulator(unverified_inputs=True)) as server:
        client = Client(server.port)
        expected = client.post_parts("/tags", ("image", "a.png", PNG)).result
        assert client.post_json("/tags", {"image_base64": BASE64}).result == expected
        assert client.post_form("/tags", {"image_upload_id": client.upload()}).result == expected
        assert client.post_form("/tags", {"image_url": "http://example.com/a.png"}).status == 200


@pytest.mark.parametrize("url", ["", "ftp://example.com/a.png", "/a.png", "http://", "http://[/a.png"])
def test_an_image_url_must_be_http_or_https(client: Client, url: str) -> None:
    assert client.get("/tags", image_url=url).refusal == (
        400,
        f"image_url {url!r} is not an http or https address",
    )


def test_a_url_of_a_document_is_refused_in_the_recorded_words(client: Client) -> None:
    answer = client.get("/tags", image_url="https://example.com/page.html")
    assert answer.refusal == (400, "Unexpected error while running the classification job.")


@pytest.mark.parametrize("data", [b"", b"BM a bitmap", b"<svg/>", b"\x89PNG", b"%PDF-1.7"])
def test_bytes_that_are_no_picture_are_refused(client: Client, data: bytes) -> None:
    expected = (400, "the image is not a PNG, JPEG or GIF file")
    assert client.post_parts("/tags", ("image", "a.png", data)).refusal == expected
    assert client.post_parts("/uploads", ("image", "a.png", data)).refusal == expected
    assert client.post_form("/uploads", {"image_base64": base64.b64encode(data).decode()}).refusal == expected


def test_base64_must_be_whole_and_well_escaped(client: Client) -> None:
    lines = base64.encodebytes(PNG).decode()
    assert client.post_form("/uploads", {"image_base64": lines}).status == 200
    for wrong in (BASE64[:-1], "data:image/png;base64," + BASE64, "%%%"):
        assert client.post_form("/uploads", {"image_base64": wrong}).refusal[0] == 400
    # Bytes whose base64 holds a plus sign, sent as it is: a form turns it into a space.
    unescaped = b"image_base64=" + base64.b64encode(b"GIF89a\xfb\xef\xbe")
    assert b"+" in unescaped
    assert client.ask("POST", "/v2/uploads", unescaped, Content_Type=FORM).refusal[0] == 400


@pytest.mark.parametrize("media_type", ["multipart/form-data", "multipart/form-data; boundary=x"])
def test_a_multipart_body_that_cannot_be_taken_apart_is_400(client: Client, media_type: str) -> None:
    assert client.ask("POST", "/v2/uploads", b"--y\r\n\r\nnothing", Content_Type=media_type).refusal[0] == 400


# --- uploads ---


@pytest.mark.parametrize("picture", [PNG, jpeg(640, 480), GIF])
def test_an_upload_gives_an_id_for_each_kind_of_picture(client: Client, picture: bytes) -> None:
    upload_id = client.upload(picture)
    assert len(upload_id) == 32
    assert client.get("/tags", image_upload_id=upload_id).status == 200


def test_an_upload_takes_a_file_under_any_field_name(client: Client) -> None:
    assert client.post_parts("/uploads", ("a.png", "a.png", PNG)).result["upload_id"]


def test_an_upload_of_megabytes_is_taken(client: Client) -> None:
    assert client.upload(PNG + bytes(5_000_000))
    large = base64.b64encode(PNG + bytes(5_000_000)).decode()
    assert client.post_form("/uploads", {"image_base64": large}).result["upload_id"]


def test_an_upload_takes_no_url_and_not_two_pictures(client: Client) -> None:
    answers = [
        client.post_form("/uploads", {"image_url": "http://example.com/a.png"}),
        client.post_form("/uploads", {}, image_url="http://example.com/a.png"),
        client.post_json("/uploads", {"image_url": "http://example.com/a.png"}),
        client.post_parts("/uploads", ("image", "a.png", PNG), ("image", "b.png", PNG)),
    ]
    assert [answer.refusal[0] for answer in answers] == [400] * 4


def test_a_deleted_upload_is_gone_and_an_unknown_one_never_was(client: Client) -> None:
    upload_id = client.upload()
    deleted = client.ask("DELETE", f"/v2/uploads/{upload_id}")
    assert (deleted.status, deleted.json) == (200, {"status": SUCCESS})
    assert client.ask("DELETE", f"/v2/uploads/{upload_id}").refusal[0] == 410
    assert client.get("/tags", image_upload_id=upload_id).refusal[0] == 410
    assert client.ask("DELETE", "/v2/uploads/i05e00").refusal[0] == 404
    assert client.get("/tags", image_upload_id="i05e00").refusal[0] == 404


def test_an_upload_expires_after_24_hours(emulator: ImaggaEmulator, client: Client) -> None:
    upload_id = client.upload()
    emulator.clock.advance(DAY_S - 1)
    assert client.get("/tags", image_upload_id=upload_id).status == 200
    emulator.clock.advance(1)
    assert client.get("/tags", image_upload_id=upload_id).refusal == (
        410,
        f"upload {upload_id!r} has expired",
    )
    assert client.ask("DELETE", f"/v2/uploads/{upload_id}").refusal[0] == 410
    emulator.clock.set(START)


def test_an_upload_belongs_to_its_account() -> None:
    with serve(ImaggaEmulator(credentials={"a": "1", "b": "2"})) as server:
        upload_id = Client(server.port, "a", "1").upload()
        assert Client(server.port, "b", "2").get("/tags", image_upload_id=upload_id).refusal[0] == 404


# --- tags ---


def tags_of(answer: Answer) -> list[tuple[str, float]]:
    return [(tag["tag"]["en"], tag["confidence"]) for tag in answer.result["tags"]]


def test_tags_are_sorted_by_confidence_between_7_and_100(client: Client) -> None:
    tags = tags_of(client.post_parts("/tags", ("image", "a.png", PNG)))
    values = [confidence for _, confidence in tags]
    assert values == sorted(values, reverse=True)
    assert all(7.0 <= value <= 100.0 for value in values)
    assert len({word for word, _ in tags}) == len(tags) >= 10


def test_tags_say_format_and_shape_of_a_file_and_words_of_a_url(client: Client) -> None:
    words = [word for word, _ in tags_of(client.post_parts("/tags", ("image", "a", jpeg(640, 2000))))]
    assert words[:3] == ["jpeg", "vertical", "large"]
    words = [
        word for word, _ in tags_of(client.get("/tags", image_url="http://a.example/b/red-fast-car.jpg"))
    ]
    assert words[:3] == ["red", "fast", "car"]


def test_other_bytes_get_other_tags_and_the_same_bytes_the_same(client: Client) -> None:
    first, again, other = (
        tags_of(client.post_parts("/tags", ("image", name, data)))
        for name, data in (("a", PNG), ("b", PNG), ("c", png(4, 4)))
    )
    assert first == again != other


def test_limit_and_threshold_leave_tags_out(client: Client) -> None:
    url = "http://example.com/harbor.jpg"
    every = tags_of(client.get("/tags", image_url=url))
    assert tags_of(client.get("/tags", image_url=url, limit=-1)) == every
    assert tags_of(client.get("/tags", image_url=url, limit=3)) == every[:3]
    assert tags_of(client.get("/tags", image_url=url, threshold=50)) == [tag for tag in every if tag[1] >= 50]
    assert tags_of(client.get("/tags", image_url=url, threshold=6.9)) == every
    body = {"image_base64": BASE64}
    assert len(tags_of(client.post_form("/tags", body, limit=2))) == 2
    assert len(tags_of(client.post_form("/tags", body | {"limit": "2"}))) == 2


def test_a_tag_comes_in_each_language_asked_for(client: Client) -> None:
    url = "http://example.com/car.jpg"
    [tag, *_] = client.get("/tags", image_url=url, language="en,de").result["tags"]
    assert tag["tag"] == {"en": "car", "de": "car (de)"}
    [tag, *_] = client.get("/tags", image_url=url, language="no").result["tags"]
    assert tag["tag"] == {"no": "car (no)"}
    assert client.get("/tags", image_url=url, language="xx").refusal == (
        400,
        "language 'xx' is not supported",
    )


def test_decrease_parents_leaves_out_the_more_general_words(client: Client) -> None:
    url = "http://example.com/apple.jpg"
    assert {"apple", "fruit", "food"} <= {word for word, _ in tags_of(client.get("/tags", image_url=url))}
    fewer = {word for word, _ in tags_of(client.get("/tags", image_url=url, decrease_parents=1))}
    assert "apple" in fewer
    assert not {"fruit", "food"} & fewer


def test_verbose_adds_origin_and_synset(client: Client) -> None:
    [tag] = client.get("/tags", image_url="http://example.com/a.png", verbose=1, limit=1).result["tags"]
    assert sorted(tag) == ["confidence", "origin", "synset_id", "tag"]


@pytest.mark.parametrize(
    "option",
    [
        {"verbose": "true"},
        {"verbose": ""},
        {"decrease_parents": "2"},
        {"limit": "-2"},
        {"limit": "1.5"},
        {"threshold": "101"},
        {"threshold": "nan"},
        {"threshold": "x"},
        {"language": ""},
    ],
)
def test_an_option_of_the_wrong_form_is_refused_by_name(client: Client, option: dict[str, str]) -> None:
    status, text = client.get("/tags", image_url="http://example.com/a.png", **option).refusal
    assert (status, text.split()[0]) == (400, next(iter(option)))


def test_feedback_takes_any_object_and_says_that_nobody_knows_it(client: Client) -> None:
    assert list(client.post_json("/tags/feedback", {"tag": "cat"}).result) == ["unverified"]
    assert client.post_json("/tags/feedback", ["cat"]).refusal[0] == 400
    assert client.post_form("/tags/feedback", {"tag": "cat"}).refusal[0] == 400
    assert [endpoint.mark for endpoint in ENDPOINTS if endpoint.path == "/v2/tags/feedback"] == ["?"]


# --- categories, colours, faces, tickets ---


def test_categories_are_the_labels_of_the_categorizer_and_sum_to_100(client: Client) -> None:
    for categorizer in client.get("/categorizers").result["categorizers"]:
        path = f"/categories/{categorizer['id']}"
        found = client.get(path, image_url="http://example.com/a.png").result["categories"]
        assert sorted(category["name"]["en"] for category in found) == sorted(categorizer["labels"])
        confidences = [category["confidence"] for category in found]
        assert confidences == sorted(confidences, reverse=True)
        assert sum(confidences) == pytest.approx(100.0)


def test_moderation_knows_safe_and_nsfw(client: Client) -> None:
    found = client.post_parts("/categories/nsfw_beta", ("image", "a.png", PNG), language="en,de").result
    assert {category["name"]["en"] for category in found["categories"]} == {"safe", "nsfw"}
    assert {category["name"]["de"] for category in found["categories"]} == {"safe (de)", "nsfw (de)"}


def test_an_unknown_categorizer_is_404(client: Client) -> None:
    assert client.get("/categories/nothing", image_url="http://example.com/a.png").refusal[0] == 404


def test_colours_come_in_the_numbers_asked_for(client: Client) -> None:
    url = "http://example.com/a.png"
    colors = client.get("/colors", image_url=url).result["colors"]
    parts = ("image_colors", "background_colors", "foreground_colors")
    assert [len(colors[part]) for part in parts] == [5, 3, 3]
    assert sum(colour["percent"] for colour in colors["image_colors"]) == pytest.approx(100.0)
    options = {"overall_count": 2, "extract_object_colors": 0}
    colors = client.get("/colors", image_url=url, **options).result["colors"]
    assert [len(colors[part]) for part in parts] == [2, 0, 0]
    assert client.get("/colors", image_url=url, features_type="all").refusal[0] == 400


def faces_of(client: Client, url: str, **options: object) -> list[dict[str, Any]]:
    return list(client.get("/faces/detections", image_url=url, **options).result["faces"])


def test_a_face_has_an_id_only_when_it_was_asked_for(client: Client) -> None:
    url = "http://example.com/a.png"
    assert {face["face_id"] for face in faces_of(client, url)} == {""}
    assert all(len(face["face_id"]) == 64 for face in faces_of(client, url, return_face_id=1))
    assert client.get("/faces/detections", image_url=url, return_face_id="true").refusal[0] == 400


def test_faces_lie_within_the_picture(client: Client) -> None:
    for face in client.post_parts("/faces/detections", ("image", "a", jpeg(64, 32))).result["faces"]:
        box = face["coordinates"]
        assert 0 <= box["xmin"] < box["xmax"] <= 64
        assert 0 <= box["ymin"] < box["ymax"] <= 32
        assert (box["width"], box["height"]) == (box["xmax"] - box["xmin"], box["ymax"] - box["ymin"])


def face_ids(client: Client, count: int = 5) -> list[str]:
    urls = [f"http://example.com/{number}.png" for number in range(count)]
    return [faces_of(client, url, return_face_id=1)[0]["face_id"] for url in urls]


def test_a_grouping_gives_a_ticket_that_is_final_after_its_polls_and_read_once(client: Client) -> None:
    ids = face_ids(client)
    ticket = client.post_json("/faces/groupings", {"faces": ids}).result["ticket_id"]
    answers = [client.get(f"/tickets/{ticket}") for _ in range(4)]
    assert [answer.result for answer in answers[:2]] == [{"is_final": False, "ticket_result": {}}] * 2
    assert answers[2].result["is_final"] is True
    groups = answers[2].result["ticket_result"]["groups"]
    assert sorted(face for group in groups for face in group) == sorted(ids)
    assert answers[3].refusal[0] == 410


def test_a_ticket_expires_after_24_hours_and_an_unknown_one_is_404(
    emulator: ImaggaEmulator, client: Client
) -> None:
    ticket = client.post_json("/faces/groupings", {"faces": face_ids(client)}).result["ticket_id"]
    emulator.clock.advance(DAY_S)
    assert client.get(f"/tickets/{ticket}").refusal[0] == 410
    emulator.clock.set(START)
    assert client.get("/tickets/0").refusal[0] == 404


def test_a_grouping_needs_json_with_five_known_face_ids(client: Client) -> None:
    ids = face_ids(client)
    answers = [
        client.post_json("/faces/groupings", {"faces": ids[:4]}),
        client.post_json("/faces/groupings", {"faces": "abcde"}),
        client.post_json("/faces/groupings", {"faces": [{"face_id": face} for face in ids]}),
        client.post_json("/faces/groupings", {"faces": [*ids, "unknown"]}),
        client.post_json("/faces/groupings", {"faces": ids, "callback_url": "nowhere"}),
        client.post_json("/faces/groupings", {}),
        client.post_form("/faces/groupings", {"faces": json.dumps(ids)}),
        client.ask("POST", "/v2/faces/groupings", b"{", Content_Type="application/json"),
    ]
    assert [answer.refusal[0] for answer in answers] == [400] * len(answers)
    assert answers[0].refusal[1] == "at least 5 faces are needed, not 4"


def test_made_up_face_ids_are_grouped_when_asked_for() -> None:
    with serve(ImaggaEmulator(any_face_id=True, polls=0)) as server:
        client = Client(server.port)
        ticket = client.post_json("/faces/groupings", {"faces": list("abcde")}).result["ticket_id"]
        assert client.get(f"/tickets/{ticket}").result["is_final"] is True


# --- limits, usage, faults ---


def test_the_monthly_limit_refuses_analyses_with_403_until_the_month_ends() -> None:
    clock = Clock.virtual(START)
    with serve(ImaggaEmulator(monthly_limit=2, clock=clock)) as server:
        client = Client(server.port)
        url = "http://example.com/a.png"
        answers = [client.get("/tags", image_url=wanted) for wanted in (url, "no url", url, url)]
        assert [answer.status for answer in answers] == [200, 400, 200, 403]
        assert [answer.headers["monthly-limit-remaining"] for answer in answers] == ["1", "1", "0", "0"]
        assert answers[3].refusal == (403, "the monthly limit of 2 requests is reached")
        assert client.get("/usage").status == 200
        assert client.upload()
        clock.set(datetime(2026, 2, 1, tzinfo=UTC))
        renewed = client.get("/tags", image_url=url)
        assert (renewed.status, renewed.headers["monthly-limit-remaining"]) == (200, "1")


def test_usage_counts_by_day_week_and_month() -> None:
    # 2026-01-31 is a Saturday, so the day before lies in the same week and the month's first day does not.
    clock = Clock.virtual(datetime(2026, 1, 1, tzinfo=UTC))
    with serve(ImaggaEmulator(clock=clock, limits=Limits(requests_per_second=5, max_in_flight=2))) as server:
        client = Client(server.port)
        for day in (1, 30, 31):
            clock.set(datetime(2026, 1, day, tzinfo=UTC))
            client.get("/tags", image_url="http://example.com/a.png")
        usage = client.get("/usage", concurrency=1, history=1).result
    assert usage == {
        "billing_period_start": "2026-01-01T00:00:00+00:00",
        "billing_period_end": "2026-02-01T00:00:00+00:00",
        "daily_requests": 1,
        "daily_processed": 1,
        "weekly_requests": 2,
        "weekly_processed": 2,
        "monthly_requests": 3,
        "monthly_processed": 3,
        "daily_for": "2026-01-31",
        "monthly_limit": 1000,
        "last_usage": 1769817600,
        "rps_limit": 5,
        "daily": {"1767225600": 1, "1769731200": 1, "1769817600": 1},
        "concurrency": {"max": 2, "now": 1},
    }


def test_a_rate_above_the_limit_is_429_in_an_envelope_without_retry_after() -> None:
    with serve(ImaggaEmulator(limits=Limits(requests_per_second=1), clock=Clock.virtual(START))) as server:
        client = Client(server.port)
        assert client.get("/usage").status == 200
        answer = client.get("/usage")
        assert answer.refusal[0] == 429
        assert "retry-after" not in answer.headers
        assert "monthly-limit" in answer.headers


def test_a_planned_fault_speaks_in_the_envelope(emulator: ImaggaEmulator, client: Client) -> None:
    emulator.faults.add(Fault.refused(503, path="/v2/tags", retry_after=3))
    assert client.get("/usage").status == 200
    answer = client.get("/tags", image_url="http://example.com/a.png")
    assert (answer.refusal, answer.headers["retry-after"]) == ((503, "a planned fault"), "3")
    assert "monthly-limit" in answer.headers


def test_the_log_holds_every_part_that_was_sent(emulator: ImaggaEmulator, client: Client) -> None:
    client.post_parts("/uploads", ("image", "a.png", PNG), ("note", None, b"x"))
    [entry] = emulator.requests
    assert (entry.method, entry.path, entry.parts, entry.user) == ("POST", "/v2/uploads", 2, DEMO_KEY)


def test_a_negative_limit_or_number_of_polls_is_refused() -> None:
    with pytest.raises(EmulatorError, match="-1"):
        ImaggaEmulator(monthly_limit=-1)
    with pytest.raises(EmulatorError, match="-1"):
        ImaggaEmulator(polls=-1)


def test_every_endpoint_cites_where_its_facts_were_read() -> None:
    for endpoint in ENDPOINTS:
        assert endpoint.sources
        assert all(
            source.startswith(("https://", "seen in public client code")) for source in endpoint.sources
        )
        assert endpoint.title in ImaggaEmulator().banner
