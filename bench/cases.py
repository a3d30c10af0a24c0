"""What is measured with which tools, and what must come of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["GOALS", "WORKLOADS", "Goal", "Workload"]

_LIMIT = "wrk"
_PEER = "syslog-ng"
_OURS = "haulier httpx"
_OURS_WITHOUT = "haulier httpx, ledger off"
_LANES = "bare httpx lanes"
_CLIENT = "bare httpx client"
_PLANNING = "haulier planning"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Records, and how they travel. tools: who carries them.

    exclude: one attribute is kept out, by the tools that can. in_flight: requests at once, for tools that are told.
    fewer: tools so slow that they carry only so many of the records; rates compare all the same.
    """

    name: str
    title: str
    records: int
    batch: int
    tools: tuple[str, ...]
    exclude: bool = False
    in_flight: int = 16
    fewer: Mapping[str, int] = field(default_factory=dict)

    def records_for(self, tool: str, scale: int) -> int:
        """How many records this tool carries when all sizes are divided by `scale`: whole batches, one at least."""
        batches = self.fewer.get(tool, self.records) // scale // self.batch
        return max(1, batches) * self.batch


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What must come of it: `at_least` times the rate of `against`, or so many records a second where that is None.

    most_mb: in place of `at_least`, megabytes of memory that a tool may take at its peak. Tool and workload are named.
    """

    title: str
    of: tuple[str, str]
    against: tuple[str, str] | None = None
    at_least: float = 0.0
    most_mb: float = 0.0

    @property
    def cases(self) -> Iterable[tuple[str, str]]:
        """The (workload, tool) pairs it compares."""
        return (self.of,) if self.against is None else (self.of, self.against)


_SLOW = {_OURS: 20_000, _OURS_WITHOUT: 20_000, _LANES: 20_000, _CLIENT: 10_000}

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
        tools=(_LIMIT, _PEER, _LANES, _CLIENT, _OURS, _OURS_WITHOUT),
        fewer={_CLIENT: 200_000},
    ),
    Workload(
        name="batches-excluded",
        title="1 M records in batches of 100, one attribute excluded",
        records=1_000_000,
        batch=100,
        tools=(_OURS,),
        exclude=True,
    ),
    Workload(
        name="single",
        title="200 k records one by one",
        records=200_000,
        batch=1,
        tools=(_LIMIT, _PEER, _LANES, _CLIENT, _OURS, _OURS_WITHOUT),
        in_flight=64,
        fewer=_SLOW,
    ),
)

GOALS = (
    Goal(title="planning alone, records/s", of=("planning", _PLANNING), at_least=1_500_000),
    Goal(
        title="planning alone, one attribute excluded, records/s",
        of=("planning-excluded", _PLANNING),
        at_least=700_000,
    ),
    Goal(title="batches of 100 over httpx, ledger on, records/s", of=("batches", _OURS), at_least=80_000),
    Goal(title="memory for 1 M records in batches of 100, ledger on", of=("batches", _OURS), most_mb=100),
    Goal(
        title="batches of 100, ledger on",
        of=("batches", _OURS),
        against=("batches", _OURS_WITHOUT),
        at_least=0.80,
    ),
    Goal(
        title="one by one over httpx, 64 in flight, ledger on",
        of=("single", _OURS),
        against=("single", _CLIENT),
        at_least=1.3,
    ),
    Goal(title="batches of 100, ledger on", of=("batches", _OURS), against=("batches", _PEER), at_least=2.5),
    Goal(
        title="batches of 100, one attribute excluded, ledger on",
        of=("batches-excluded", _OURS),
        against=("batches", _PEER),
        at_least=1.3,
    ),
    Goal(title="one by one, ledger on", of=("single", _OURS), against=("single", _PEER), at_least=1.0),
)
