"""dlt with a custom destination. Runs in an environment of its own, see bench/install_peers.py.

peer_dlt.py PATH BATCH URL WORKERS

Records go through extract, normalize and load as in any pipeline. Best settings found: Arrow tables, which no step
looks through record by record; the destination gets whole load files (`batch_size=0`) and cuts them into batches
itself, as a call per batch commits a state file each time; several files, so that several workers load at once; one
connection for each worker.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection  # noqa: TID251 - a peer, which has no part of ours
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from pyarrow.json import read_json
from pyarrow.parquet import ParquetFile

path, batch, url, workers = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
os.environ.update(
    {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DLT_DATA_DIR": str(Path.cwd() / "dlt"),
        "LOAD__WORKERS": workers,
        "NORMALIZE__WORKERS": "1",
        "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "20000",
    }
)

import dlt  # noqa: E402 - it reads the environment when it is imported

_own = threading.local()
_place = urlsplit(url)


def _post(body: bytes) -> None:
    connection = getattr(_own, "connection", None)
    if connection is None:
        connection = _own.connection = HTTPConnection(_place.hostname or "", _place.port)
    connection.request("POST", _place.path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise RuntimeError(f"the server answered {answer.status}")


@dlt.destination(batch_size=0, loader_file_format="parquet", name="bench")
def carry(items: Any, table: Any) -> None:
    """A load file to requests."""
    del table
    for group in ParquetFile(items).iter_batches(batch_size=batch * max(1, 10_000 // batch)):
        records = group.to_pylist()
        for at in range(0, len(records), batch):
            _post(orjson.dumps(records[at] if batch == 1 else {"records": records[at : at + batch]}))


def _records() -> Iterator[Any]:
    with path.open("rb") as file:
        while lines := file.readlines(8 << 20):
            yield read_json(BytesIO(b"".join(lines)))


pipeline = dlt.pipeline("bench", destination=carry, pipelines_dir=str(Path.cwd() / "pipelines"))
info = pipeline.run(dlt.resource(_records, name="records", max_table_nesting=0))
info.raise_on_failed_jobs()
