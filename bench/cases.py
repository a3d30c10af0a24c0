"""What is measured with which tools, and what must come of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from server import SLOW_S

__all__ = ["GOALS", "WORKLOADS", "Goal", "Workload"]

_LIMIT = "wrk"
_SYSLOG = ("syslog-ng, 4 workers", "syslog-ng, 1 worker")
_SYSLOG_SLOW = "syslog-ng, 200 workers"
_PYTHON_PEERS = ("singer-sdk", "dlt", "drt")
_OURS = "haulier http1"
_OURS_WITHOUT = "haulier http1, ledger off"
_HTTPX = "haulier httpx"
_HTTPX_WITHOUT = "haulier httpx, ledger off"
_BARE = "bare http1"
_LANES = "bare httpx lanes"
_CLIENT = "bare httpx client"
_PLANNING = "haulier planning"
_EVERY_WAY = (_LIMIT, *_SYSLOG, _BARE, _OURS, _OURS_WITHOUT, _LANES, _CLIENT, _HTTPX)
_SLOW_IN_FLIGHT = 200
_BATCHES_IN_FLIGHT = 32  # the best of 2 to 128 over `http1`
_LANES_IN_FLIGHT = 16  # the best of 8 to 32: with more of them httpx gets slower


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Records, and how they travel. tools: who carries them.

    exclude: one attribute is kept out, by the tools that can. in_flight: requests at once, for tools that are told;
    in_flight_of: for tools that are best with another number.
    fewer: tools so slow that they carry only so many of the records; rates compare all the same. server: which kind
    answers. rounds: how many it is measured in, where one says it all; 0: as many as the bench has. for_memory: it
    is the peak that counts, not the time.
    """

    name: str
    title: str
    records: int
    batch: int
    tools: tuple[str, ...]
    exclude: bool = False
    in_flight: int = 16
    in_flight_of: Mapping[str, int] = field(default_factory=dict)
    fewer: Mapping[str, int] = field(default_factory=dict)
    server: str = "plain"
    rounds: int = 0
    for_memory: bool = False

    def records_for(self, tool: str, scale: int) -> int:
        """How many records this tool carries when all sizes are divided by `scale`: whole batches, one at least."""
        batches = self.fewer.get(tool, self.records) // scale // self.batch
        return max(1, batches) * self.batch


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What must come of it: `at_least` times the rate of `against`, or of `possible` records a second.

    Without both, `at_least` is records a second. most_mb: in place of it, megabytes of memory that a tool may take at
    its peak; more than it takes `beside` another case, where that is named. Tool and workload are named.
    """

    title: str
    of: tuple[str, str]
    against: tuple[str, str] | None = None
    at_least: float = 0.0
    possible: float = 0.0
    most_mb: float = 0.0
    beside: tuple[str, str] | None = None

    @property
    def cases(self) -> Iterable[tuple[str, str]]:
        """The (workload, tool) pairs it compares."""
        return [case for case in (self.of, self.against, self.beside) if case is not None]


WORKLOADS = (
    Workload(
        name="planning", title="planning alone, one core", records=1_000_000, batch=100, tools=(_PLANNING,)
    ),
    Workload(
        name="planning-excluded",
        title="planning alone, one core, one attribute excluded",
        records=1_000_000,
        batch=100,
        tools=(_PLANNING,),
        exclude=True,
    ),
    Workload(
        name="batches",
        title="1 M records in batches of 100",
        records=1_000_000,
        batch=100,
        in_flight=_BATCHES_IN_FLIGHT,
        in_flight_of=dict.fromkeys((_LANES, _HTTPX, _HTTPX_WITHOUT), _LANES_IN_FLIGHT),
        tools=(*_EVERY_WAY, _HTTPX_WITHOUT, *_PYTHON_PEERS),
        fewer={
            _LANES: 200_000,
            _CLIENT: 100_000,
            _HTTPX: 200_000,
            _HTTPX_WITHOUT: 200_000,
            **dict.fromkeys(_PYTHON_PEERS, 200_000),
        },
    ),
    Workload(
        name="batches-excluded",
        title="1 M records in batches of 100, one attribute excluded",
        records=1_000_000,
        batch=100,
        in_flight=_BATCHES_IN_FLIGHT,
        tools=(_OURS,),
        exclude=True,
    ),
    Workload(
        name="batches-tls",
        title="1 M records in batches of 100, over TLS",
        records=1_000_000,
        batch=100,
        in_flight=_BATCHES_IN_FLIGHT,
        tools=(_OURS,),
        server="tls",
    ),
    Workload(
        name="single",
        title="200 k records one by one",
        records=200_000,
        batch=1,
        tools=_EVERY_WAY,
        in_flight=64,
        fewer={_LANES: 6_000, _CLIENT: 4_000, _HTTPX: 10_000},
    ),
    Workload(
        name="slow",
        title=f"one by one, a server that answers in {SLOW_S * 1000:.0f} ms, {_SLOW_IN_FLIGHT} in flight",
        records=60_000,
        batch=1,
        tools=(_LIMIT, _SYSLOG_SLOW, _OURS),
        in_flight=_SLOW_IN_FLIGHT,
        server="slow",
    ),
    Workload(
        name="memory-few",
        title="memory: 100 k records in batches of 100",
        records=100_000,
        batch=100,
        in_flight=_BATCHES_IN_FLIGHT,
        tools=(_OURS,),
        rounds=1,
        for_memory=True,
    ),
    Workload(
        name="memory-many",
        title="memory: 10 M records in batches of 100",
        records=10_000_000,
        batch=100,
        in_flight=_BATCHES_IN_FLIGHT,
        tools=(_OURS,),
        rounds=1,
        for_memory=True,
    ),
)

GOALS = (
    *(
        Goal(
            title="batches of 100, ledger on", of=("batches", _OURS), against=("batches", peer), at_least=2.5
        )
        for peer in _SYSLOG
    ),
    *(
        Goal(
            title="batches of 100, one attribute excluded, ledger on",
            of=("batches-excluded", _OURS),
            against=("batches", peer),
            at_least=1.3,
        )
        for peer in _SYSLOG
    ),
    *(
        Goal(title="one by one, ledger on", of=("single", _OURS), against=("single", peer), at_least=1.0)
        for peer in _SYSLOG
    ),
    Goal(
        title="batches of 100, ledger on",
        of=("batches", _OURS),
        against=("batches", _OURS_WITHOUT),
        at_least=0.80,
    ),
    Goal(
        title="one by one, ledger off",
        of=("single", _OURS_WITHOUT),
        against=("single", _BARE),
        at_least=0.60,
    ),
    Goal(
        title="one by one over httpx lanes, 64 in flight, ledger on",
        of=("single", _HTTPX),
        against=("single", _CLIENT),
        at_least=1.3,
    ),
    Goal(
        title=f"server answering in {SLOW_S * 1000:.0f} ms, {_SLOW_IN_FLIGHT} in flight, ledger on",
        of=("slow", _OURS),
        possible=_SLOW_IN_FLIGHT / SLOW_S,
        at_least=0.93,
    ),
    Goal(
        title="over TLS, batches of 100, ledger on",
        of=("batches-tls", _OURS),
        against=("batches", _OURS),
        at_least=0.5,
    ),
    *(
        Goal(title="batches of 100, ledger on", of=("batches", _OURS), against=("batches", peer), at_least=15)
        for peer in _PYTHON_PEERS
    ),
    Goal(title="memory for 10 M records", of=("memory-many", _OURS), most_mb=100),
    Goal(
        title="memory for 10 M records, beyond that for 100 k",
        of=("memory-many", _OURS),
        beside=("memory-few", _OURS),
        most_mb=10,
    ),
    Goal(title="planning alone, records/s", of=("planning", _PLANNING), at_least=1_500_000),
    Goal(
        title="planning alone, one attribute excluded, records/s",
        of=("planning-excluded", _PLANNING),
        at_least=700_000,
    ),
    Goal(title="batches of 100 over httpx, ledger on, records/s", of=("batches", _HTTPX), at_least=80_000),
)
