"""A Singer target on the Meltano SDK. Runs in an environment of its own, see bench/install_peers.py.

peer_singer.py BATCH URL < messages

Best settings found: messages read by msgspec, records neither validated nor given metadata, a batch drained as soon
as it is full, one connection.
"""

from __future__ import annotations

import sys
from http.client import HTTPConnection  # noqa: TID251 - a peer, which has no part of ours
from typing import Any
from urllib.parse import urlsplit

import msgspec
from singer_sdk import BatchSink, Target
from singer_sdk import typing as th
from singer_sdk.contrib.msgspec import MsgSpecReader

batch, url = int(sys.argv[1]), sys.argv[2]
_place = urlsplit(url)
_connection = HTTPConnection(_place.hostname or "", _place.port)
_encode = msgspec.json.Encoder(decimal_format="number").encode  # it reads numbers as decimals


class HttpSink(BatchSink):
    """Batches of so many records."""

    max_size = batch

    def process_batch(self, context: dict[str, Any]) -> None:
        """One request."""
        records = context["records"]
        body = _encode(records[0] if batch == 1 else {"records": records})
        _connection.request("POST", _place.path, body, {"Content-Type": "application/json"})
        answer = _connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the server answered {answer.status}")


class HttpTarget(Target):
    """The target."""

    name = "target-bench"
    message_reader_class = MsgSpecReader
    config_jsonschema = th.PropertiesList().to_dict()
    default_sink_class = HttpSink


HttpTarget(config={"add_record_metadata": False, "validate_records": False}).listen(sys.stdin)
