"""The page on outputs: its check of signatures takes what the credential type signs, and nothing else."""

from __future__ import annotations

import time
from typing import Any

from tests.docs.blocks import REPOSITORY, blocks_of
from tests.made import made_request

from haulier.io.credentials import credential_types

HMAC = next(kind for kind in credential_types() if kind.name == "hmac")


def header(body: bytes, secret: str, at: float) -> str:
    request = made_request("https://a.example/", "POST", body)
    return HMAC.apply(request, HMAC.settings.model_validate({"secret": secret}), at).headers[0][1]


def test_the_check_of_signatures_works_as_it_stands() -> None:
    (block,) = (one for one in blocks_of(REPOSITORY / "docs" / "outputs.md") if one.mark == "verify")
    names: dict[str, Any] = {}
    exec(block.text, names)
    is_genuine, now = names["is_genuine"], time.time()
    good = header(b'{"a":"\xc3\xa9"}', "s\u00e9cret", now)
    assert is_genuine(good, b'{"a":"\xc3\xa9"}', "s\u00e9cret")
    assert not is_genuine(good, b'{"a":"e"}', "s\u00e9cret")
    assert not is_genuine(good, b'{"a":"\xc3\xa9"}', "another")
    assert not is_genuine(header(b"x", "s", now - 301), b"x", "s")
