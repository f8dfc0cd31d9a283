"""When a rule of `stop_when` holds, and when a canary has failed: tables."""

from __future__ import annotations

import pytest

from gristmill.engine.contract import Reason
from gristmill.run.policy import broken_by_canary, broken_rule
from gristmill.run.tally import Tally
from gristmill.spec.stop_rules import FailureClass, StopRule
from gristmill.spec.values import ErrorThreshold

NEVER = ErrorThreshold(items=-1, fraction=None)
FIFTH = ErrorThreshold(items=None, fraction=0.2)


def rule(
    count: int | None = None, fraction: float | None = None, window: int | None = None,
    minimum: int = 100, of: str | None = None,
) -> StopRule:  # fmt: skip
    failures = None if of is None else FailureClass(of)
    return StopRule(failures=failures, count=count, fraction=fraction, window=window, minimum=minimum)


def tally(*failed: tuple[str, int, int]) -> Tally:
    """Make a tally of (reason, items, items done with them)."""
    made = Tally()
    for reason, items, done in failed:
        made.add(Reason(reason), items, done)
    return made


@pytest.mark.parametrize(
    ("one", "failed", "done", "holds"),
    [
        (rule(count=5), [("exception", 5, 9)], 9, True),
        (rule(count=5), [("exception", 4, 9)], 9, False),
        (rule(count=5, of="memory"), [("memory", 5, 9)], 9, True),
        (rule(count=5, of="memory"), [("exception", 9, 9)], 9, False),
        (rule(count=5, of="data"), [("exception", 3, 3), ("worker_died", 2, 9)], 9, True),
        (rule(count=2, of="script"), [("bad_return", 1, 3), ("missing_result", 1, 9)], 9, True),
        (rule(count=1, of="time"), [("timeout", 1, 1)], 1, True),
        (rule(count=1, of="infrastructure"), [("infrastructure", 1, 1)], 1, True),
        (rule(count=3, window=10), [("exception", 3, 3)], 10, True),
        (rule(count=3, window=10), [("exception", 3, 3)], 11, False),
        (rule(fraction=0.3), [("exception", 30, 100)], 100, True),
        (rule(fraction=0.3), [("exception", 29, 100)], 100, False),
        (rule(fraction=0.3), [("exception", 99, 99)], 99, False),
        (rule(fraction=0.3, minimum=10), [("exception", 3, 10)], 10, True),
        (rule(fraction=0.07), [("exception", 7, 100)], 100, True),
        (rule(fraction=0.5, window=20, minimum=20), [("exception", 10, 500)], 500, True),
        (rule(fraction=0.5, window=20, minimum=20), [("exception", 10, 480)], 500, False),
        (rule(fraction=0.5, window=20, minimum=20), [("exception", 15, 15)], 15, False),
        (rule(fraction=1.0, minimum=1), [], 9, False),
    ],
)
def test_a_rule_holds_once_its_figure_is_reached(
    one: StopRule, failed: list[tuple[str, int, int]], done: int, holds: bool
) -> None:
    assert bool(broken_rule([one], tally(*failed), done)) is holds


def test_the_first_rule_that_holds_is_named_with_its_figures() -> None:
    rules = [rule(count=9), rule(count=2, of="time"), rule(fraction=0.1, window=50, minimum=20, of="memory")]
    assert broken_rule(rules, tally(("timeout", 2, 90)), 100) == (
        "the rule {class: time, count: 2} of stop_when holds: "
        "2 of the 100 items done have failed (class time)"
    )
    assert broken_rule(rules, tally(("memory", 5, 1090)), 1100) == (
        "the rule {class: memory, fraction: 10%, window: 50, minimum: 20} of stop_when holds: "
        "5 of the last 50 items done have failed (class memory)"
    )


@pytest.mark.parametrize(
    ("threshold", "rules", "failed", "words"),
    [
        (FIFTH, [], 10, ""),
        (FIFTH, [], 11, "11 of the 50 items that were scored first (the canary) have failed, more than"),
        (NEVER, [], 49, ""),
        (NEVER, [rule(fraction=0.3)], 15, "after the canary the rule {fraction: 30%, minimum: 100} of stop"),
        (NEVER, [rule(fraction=0.3)], 14, ""),
        (NEVER, [rule(fraction=0.3, of="memory")], 40, ""),
    ],
)
def test_a_share_counts_after_the_canary_however_few_items_it_has(
    threshold: ErrorThreshold, rules: list[StopRule], failed: int, words: str
) -> None:
    told = broken_by_canary(threshold, rules, tally(("exception", failed, 50)), failed, 50)
    assert told.startswith(words)
    assert bool(told) is bool(words)
