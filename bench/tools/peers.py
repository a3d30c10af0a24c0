"""Peers written in Python, each in an environment of its own: see install_peers.py."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from task import Command, Task, Tool

__all__ = ["PACKAGES", "TOOLS", "peers_folder"]

_CHILDREN = Path(__file__).resolve().parent.parent / "children"
_DLT_WORKERS = 4

# Environment -> what is asked for; measured with these versions.
PACKAGES = {
    "dlt": "dlt[parquet]==1.31.0 orjson",
    "singer-sdk": "singer-sdk[msgspec]==0.54.9",
    "drt": "drt-core==1.2.1",
}


def peers_folder() -> Path:
    """Where the environments are: HAULIER_BENCH_PEERS, else in the user's cache."""
    named = os.environ.get("HAULIER_BENCH_PEERS")
    return Path(named) if named else Path.home() / ".cache" / "haulier-bench"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """name: of the tool and its environment; prepare: makes its input and says how it is started."""

    name: str
    prepare: Callable[[Task, Path, Path], Command]

    def version(self) -> str:
        """As installed in its own environment."""
        package = PACKAGES[self.name].partition("==")[0]
        python = peers_folder() / self.name / "bin" / "python"
        if not python.exists():
            return ""
        name = package.partition("[")[0]
        asked = f"from importlib.metadata import version; print(version({name!r}))"
        told = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
        return told.stdout.strip()

    def command(self, task: Task, folder: Path) -> Command:
        """Its input is made before the time begins."""
        return self.prepare(task, folder, peers_folder() / self.name / "bin")


def _dlt(task: Task, folder: Path, programs: Path) -> Command:
    del folder
    argv = [
        str(programs / "python"),
        str(_CHILDREN / "peer_dlt.py"),
        str(task.path),
        str(task.batch),
        task.url,
    ]
    return Command(argv=[*argv, str(_DLT_WORKERS)])


def _singer(task: Task, folder: Path, programs: Path) -> Command:
    messages = folder / "messages.jsonl"
    with task.path.open() as records, messages.open("w") as file:
        first = records.readline()
        schema = {"type": "object", "properties": {name: {} for name in json.loads(first)}}
        told = {"type": "SCHEMA", "stream": "records", "schema": schema, "key_properties": []}
        file.write(json.dumps(told) + "\n")
        for line in (first, *records):
            file.write(f'{{"type":"RECORD","stream":"records","record":{line.rstrip()}}}\n')
    argv = [str(programs / "python"), str(_CHILDREN / "peer_singer.py"), str(task.batch), task.url]
    return Command(argv=argv, environment={"TARGET_BENCH_LOGLEVEL": "ERROR"}, input=messages)


_DRT = {
    "drt_project.yml": "name: bench\nversion: '1'\nprofile: bench\n",
    ".drt/profiles.yml": "bench:\n  type: sqlite\n  database: records.db\n  fetch_size: 10000\n",
}
_DRT_SYNC = """\
name: bench
model: select record from records order by id
destination:
  type: rest_api
  url: {url}
  headers: {{Content-Type: application/json}}
  body_mode: batch
  batch_template: '{template}'
  max_records_per_request: {batch}
sync:
  batch_size: 100000
  rate_limit: {{requests_per_second: 0}}
"""
# A record is one column of JSON text that the template places, as encoding it again would cost more than half.
_BATCH = '{"records":[{% for row in rows %}{{ row.record }}{% if not loop.last %},{% endif %}{% endfor %}]}'


def _drt(task: Task, folder: Path, programs: Path) -> Command:
    for name, text in _DRT.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (folder / "syncs").mkdir()
    template = _BATCH if task.batch > 1 else "{{ rows[0].record }}"
    (folder / "syncs" / "bench.yml").write_text(
        _DRT_SYNC.format(url=task.url, template=template, batch=task.batch)
    )
    database = sqlite3.connect(folder / "records.db")
    database.execute("create table records(id integer primary key, record text)")
    with task.path.open() as records:
        while lines := [(line.rstrip(),) for line in islice(records, 10_000)]:
            database.executemany("insert into records(record) values(?)", lines)
    database.commit()
    database.close()
    environment = {"HOME": str(folder), "DO_NOT_TRACK": "1"}
    return Command(argv=[str(programs / "drt"), "run", "--quiet"], environment=environment)


TOOLS: tuple[Tool, ...] = (
    Peer(name="singer-sdk", prepare=_singer),
    Peer(name="dlt", prepare=_dlt),
    Peer(name="drt", prepare=_drt),
)
