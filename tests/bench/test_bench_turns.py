"""Who is measured beside whom, and which measurement counts."""

from __future__ import annotations

from bench.turns import SHORT_S, companies, in_turns, middle


def test_of_three_measurements_the_one_with_the_middle_rate_counts() -> None:
    """A fast moment of the machine counts as little as a slow one."""
    assert middle([("slow", 1.0), ("fast", 9.0), ("usual", 3.0)], lambda one: one[1]) == ("usual", 3.0)


def test_what_is_compared_is_measured_together() -> None:
    """Also by way of another; in the order of the round, those that nothing is compared with by themselves."""
    compared = [("ours", "peer"), ("apart",), ("tls", "ours"), ("other", "not measured"), ("other", "one")]
    assert companies(["limit", "peer", "other", "ours", "apart", "tls", "one"], compared) == [
        ["limit"],
        ["peer", "ours", "tls"],
        ["other", "one"],
        ["apart"],
    ]


def test_short_measurements_take_turns() -> None:
    """A minute in which the machine is slow is shared by all; what takes long is measured once."""
    order: list[str] = []
    rates = {"a": [3.0, 9.0, 1.0], "long": [7.0], "b": [4.0, 6.0, 5.0]}
    took = {"a": 1.0, "long": SHORT_S, "b": 2.0}

    def measure(case: str) -> tuple[float, float]:
        order.append(case)
        return took[case], rates[case].pop(0)

    found = in_turns(
        ["a", "long", "b"], measure, times=3, seconds=lambda one: one[0], rate=lambda one: one[1]
    )
    assert order == ["a", "long", "b", "a", "b", "a", "b"]
    assert found == {"a": (1.0, 3.0), "long": (SHORT_S, 7.0), "b": (2.0, 5.0)}
