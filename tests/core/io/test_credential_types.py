"""Built-in credential types, what binds a credential to servers, and the last net under secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.made import made_request

from haulier.errors import CredentialError
from haulier.io.credentials import (
    Redactor,
    ResolvedCredential,
    SecretRef,
    check_binding,
    credential_types,
    looks_secret,
    masked,
    origin_of,
    resolve_values,
)
from haulier.model.parts import Added

TYPES = {each.name: each for each in credential_types()}
REQUEST = made_request("https://a.example/")


def resolved(type_name: str, **values: str) -> ResolvedCredential:
    refs = {key: SecretRef("literal", value) for key, value in values.items()}
    return resolve_values("prod", TYPES[type_name], refs, ("https://a.example",))


def added(type_name: str, **values: str) -> Added:
    return TYPES[type_name].apply(REQUEST, resolved(type_name, **values).settings, 0.0)


def test_each_type_adds_what_its_standard_says() -> None:
    # https://www.rfc-editor.org/rfc/rfc7617#section-2
    basic = Added(headers=(("Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),))
    assert added("basic", username="Aladdin", password="open sesame") == basic
    # https://www.rfc-editor.org/rfc/rfc7617#section-2.1
    utf8 = Added(headers=(("Authorization", "Basic dGVzdDoxMjPCow=="),))
    assert added("basic", username="test", password="123£") == utf8
    # https://www.rfc-editor.org/rfc/rfc6750#section-2.1
    bearer = Added(headers=(("Authorization", "Bearer mF_9.B5f-4.1JqM"),))
    assert added("bearer", token="mF_9.B5f-4.1JqM") == bearer
    assert added("api-key", value="k 1", name="X-API-Key") == Added(headers=(("X-API-Key", "k 1"),))
    assert added("api-key", value="a&b=é", name="api key", place="query") == Added(
        query=(("api%20key", "a%26b%3D%C3%A9"),)
    )
    assert added("none") == Added()


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "a b", "a:b", "", "a\r\nb", "é"]
)
def test_a_key_goes_into_no_header_that_frames_or_steers(name: str) -> None:
    with pytest.raises(CredentialError):
        added("api-key", value="k", name=name)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.imagga.com", "https://api.imagga.com"),
        ("HTTPS://API.Imagga.com:443/v2/tags?x=1#y", "https://api.imagga.com"),
        ("http://127.0.0.1:8123/", "http://127.0.0.1:8123"),
        ("http://[::1]:80/x", "http://[::1]"),
        ("https://a.example:80", "https://a.example:80"),
    ],
)
def test_an_origin_is_written_in_one_way(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.imagga.com",
        "ftp://a.example",
        "https://",
        "https://a.example:x",
        "https://a.example:99999",
        "//a.example",
        "https://a.example\\@b.example",
        "https://a.ex\nample",
        " https://a.example",
        "https://u:s3cr3t@a.example/",
        "https://a.example@b.example",
        "https://a.exa%2fmple",
        "https://[::1",
        "file:///x",
    ],
)
def test_what_could_be_taken_for_another_server_has_no_origin(url: str) -> None:
    with pytest.raises(CredentialError) as caught:
        origin_of(url)
    assert "s3cr3t" not in str(caught.value)


def test_a_credential_goes_to_the_servers_it_is_bound_to_and_no_others() -> None:
    credential = resolved("bearer", token="t0ken")
    check_binding(credential, "https://a.example:443/v2")
    for other in ("http://a.example", "https://a.example:8443", "https://b.a.example", "https://a.example."):
        with pytest.raises(CredentialError):
            check_binding(credential, other)
    with pytest.raises(CredentialError) as caught:
        check_binding(credential, "http://127.0.0.1:8123/v2/tags")
    assert str(caught.value) == (
        "credential `prod` is bound to https://a.example and is not sent to http://127.0.0.1:8123; where "
        "https://a.example is meant, lead there (--base-url, `base_url`, `url`), else store one "
        "that may go there: haulier credential add bearer --name NAME --origin http://127.0.0.1:8123"
    )


_SECRETS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=8, max_size=30)


@given(secret=_SECRETS, around=st.text("abc é:", max_size=7))
def test_a_secret_is_found_in_every_form(secret: str, around: str) -> None:
    redact = Redactor([secret])
    whole = (around + secret + around).encode()
    for form in (
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote(secret, safe="").replace("%C", "%c"),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        repr(secret),
    ):
        assert redact(f"before {form} after").count("[secret]") >= 1
        assert form.strip("\"'") not in redact(f"before {form} after")
    for encoded in (base64.b64encode(whole), base64.urlsafe_b64encode(whole)):
        assert "[secret]" in redact(encoded.decode())


def test_a_pair_is_found_as_a_basic_header_carries_it_even_when_short() -> None:
    redact = Redactor(["acc", "pw"])
    assert (
        redact("Authorization: Basic " + base64.b64encode(b"acc:pw").decode())
        == "Authorization: Basic [secret]"
    )


def test_a_short_secret_is_replaced_where_it_stands_alone() -> None:
    assert Redactor(["no"])("note: no, not now; no") == "note: [secret], not now; [secret]"


def test_without_secrets_text_stays_as_it_is() -> None:
    assert Redactor([])("text") == "text"
    assert Redactor([""])("text") == "text"
    assert repr(Redactor(["s3cr3t-value"])) == "Redactor(...)"


def test_what_looks_secret_by_its_name_is_masked() -> None:
    secret = [
        "password",
        "api_key",
        "X-API-Key",
        "apikey",
        "Authorization",
        "access-token",
        "client_secret",
        "key",
    ]
    assert [name for name in secret if not looks_secret(name)] == []
    plain = ["image_url", "language", "keywords", "author", "monkey", "tag", "limit"]
    assert [name for name in plain if looks_secret(name)] == []
    assert masked({"a": [{"token": 1, "b": 2}], "headers": "x:1"}) == {
        "a": [{"token": "[secret]", "b": 2}],
        "headers": "[secret]",
    }
