"""Depth first, by itself: which stage may start a request, for every load of the later ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from haulier.delivery.pacing import Pace
from haulier.io.shared_limit import SharedLimit
from haulier.runs.driving.joint import Depth, Joint


@dataclass
class Stage:
    """As much of a stage as Depth sees of it; told: the order in which stages are asked to send."""

    name: str
    told: list[str]
    lag: int = 0

    def pump(self) -> None:
        self.told.append(self.name)


def joint(folder: Path, in_flight: int) -> Joint:
    return Joint(Pace(most_in_flight=in_flight, told=True), SharedLimit(folder, "http://a.example", []))


def chain(joints: list[Joint]) -> tuple[Depth, list[Stage], list[str]]:
    depth, told = Depth(joints), list[str]()
    stages = [Stage(f"s{number}", told) for number in range(len(joints))]
    for stage in stages:
        depth.join(stage, stage)
    return depth, stages, told


def test_the_last_stage_is_asked_first(tmp_path: Path) -> None:
    depth, _, told = chain([joint(tmp_path, 1)] * 3)
    depth.pump()
    assert told == ["s2", "s1", "s0"]


def test_what_later_stages_have_ready_takes_the_places_of_earlier_ones(tmp_path: Path) -> None:
    one = joint(tmp_path, 4)
    depth, stages, _ = chain([one] * 3)
    assert [depth.held(at) for at in range(3)] == [False, False, False]
    stages[2].lag = 3
    assert [depth.held(at) for at in range(3)] == [False, False, False]
    stages[1].lag = 1
    assert [depth.held(at) for at in range(3)] == [True, False, False]
    one.active = 1
    assert [depth.held(at) for at in range(3)] == [True, True, False]


def test_a_stage_at_another_service_is_waited_for_when_it_has_more_than_it_can_send(tmp_path: Path) -> None:
    depth, stages, _ = chain([joint(tmp_path, 50), joint(tmp_path, 2)])
    stages[1].lag = 3
    assert not depth.held(0)
    stages[1].lag = 4
    assert depth.held(0)
    assert not depth.held(1)


def test_a_run_without_stages_is_never_held(tmp_path: Path) -> None:
    one = joint(tmp_path, 1)
    depth, stages, _ = chain([one])
    stages[0].lag, one.active = 100, 1
    assert not depth.held(0)
