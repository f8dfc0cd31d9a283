"""What is decided about a job: pure functions over values, the same for every engine (design, D1).

Whether a failed try is repeated, whether failures are too many, what a worker that cannot start means. The
scheduler asks; nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from gristmill.engine.contract import Load, Reason
from gristmill.run.tally import Tally
from gristmill.spec.stop_rules import StopRule
from gristmill.spec.values import ErrorThreshold

#: A worker that cannot start, after one had been ready, is started again this often; then its slot is given
#: up.
START_TRIES = 3
#: The pause before each of these, in seconds.
START_PAUSES_S = (1.0, 5.0, 15.0)


#: So many workers in a row may die with all that they held, and nothing to blame.
MOST_LOSSES = 10
#: A single file that is alone in its part is tried this often; larger parts once.
TRIES_ALONE = 2
#: After these the next try is halved already: whole repeats are for exceptions.
_HALVED_AT_ONCE = (Reason.TIMEOUT, Reason.MEMORY)


class AfterFailure(Enum):
    """What follows a failed try."""

    RETRY = "retry"
    DIVIDE = "divide"
    GIVE_UP = "give up"


@dataclass(frozen=True, kw_only=True)
class FailedRange:
    """A range whose try has failed."""

    items: int
    """Items in it, at least 1."""
    is_part: bool
    """Whether it is a part of a mini-batch that was taken apart."""
    attempt: int
    """Number of the try that failed, from 1."""
    reason: Reason
    is_blamed: bool = False
    """Whether the script itself has named the files that are to blame."""


def after_failure(failed: FailedRange, max_retries: int, isolates: bool) -> AfterFailure:
    """Decide what follows a failed try: ``max_retries`` retries means one try more.

    A mini-batch whose tries are used up is taken apart, and so is each of its parts that fails, until the
    file that is to blame is alone; that one has `TRIES_ALONE` tries. Where the script names the files itself,
    nothing else of the mini-batch has to be repeated to find them.

    Source: contract, sections 2, 5.1 and 5.3.
    """
    can_divide = isolates and failed.items > 1
    if failed.is_part or (isolates and failed.is_blamed):
        most = TRIES_ALONE if failed.items == 1 else 1
    elif can_divide and failed.reason in _HALVED_AT_ONCE:
        most = 1
    else:
        most = max_retries + 1
    if failed.attempt < most:
        return AfterFailure.RETRY
    return AfterFailure.DIVIDE if can_divide else AfterFailure.GIVE_UP


def parts_of(first_item: int, items: int, alone: Collection[int]) -> tuple[tuple[int, int], ...]:
    """Take a range apart: some items alone and what is beside them, or else two halves.

    Parameters
    ----------
    first_item, items
        The range within its mini-batch; at least 2 items.
    alone
        Items of the mini-batch that are to be tried alone, and first; those beyond the range do not count.

    Returns
    -------
    tuple of (int, int)
        (first item, items) of each part, in the order in which they are to be run; together the whole range.
    """
    end = first_item + items
    chosen = sorted({item for item in alone if first_item <= item < end})
    if not chosen:
        half = items // 2
        return (first_item, half), (first_item + half, items - half)
    bounds = [first_item - 1, *chosen, end]
    beside = ((one + 1, other - one - 1) for one, other in pairwise(bounds))
    return (*((item, 1) for item in chosen), *(part for part in beside if part[1]))


def is_exceeded(threshold: ErrorThreshold, failed: int, done: int, is_end: bool = False) -> bool:
    """Say whether so many items have failed that the job is to be stopped.

    Parameters
    ----------
    threshold
        The limit: a number of items (-1: none), or a share of the items done.
    failed
        Items that have failed or have no result.
    done
        Items in an end state, failed ones included.
    is_end
        Whether there are no more: then a share counts whatever the number of items.

    Notes
    -----
    Failures must *exceed* the limit: at 0 the first failure stops the job (contract, section 2).
    """
    if threshold.fraction is not None:
        counts = done >= threshold.minimum_sample or (is_end and threshold.judged_at_end)
        return counts and failed > threshold.fraction * done
    return threshold.items is not None and threshold.items >= 0 and failed > threshold.items


def broken_rule(rules: Sequence[StopRule], tally: Tally, done: int) -> str:
    """Say which rule stops the job, and why; empty where none does.

    Parameters
    ----------
    rules
        Each says how many items, or how large a share of them, stop the job (contract, section 5.5 ➕).
    tally
        What has failed.
    done
        Items in an end state, failed ones included.

    Notes
    -----
    A rule holds as soon as its figure is *reached*; a share counts from its minimum of items on.
    """
    if tally.is_empty:
        return ""
    for rule in rules:
        failed = tally.failed(rule.failures, rule.window, done)
        of = done if rule.window is None else min(rule.window, done)
        if rule.count is not None and failed >= rule.count:
            return _broken(rule, failed, of, done)
        if rule.fraction is not None and of >= rule.minimum and _reaches(failed, rule.fraction, of):
            return _broken(rule, failed, of, done)
    return ""


def broken_by_canary(
    threshold: ErrorThreshold, rules: Sequence[StopRule], tally: Tally, failed: int, done: int
) -> str:
    """Say why the job is stopped after its canary; empty where it is not.

    Every share counts, however few items the canary has; numbers count as always. Parameters are those of
    `is_exceeded` and `broken_rule`.
    """
    if threshold.fraction is not None and failed > threshold.fraction * done:
        return (
            f"{failed:,} of the {done:,} items that were scored first (the canary) have failed, more than "
            f"the error threshold ({threshold.fraction * 100:.10g}%) allows"
        )
    for rule in rules:
        found = tally.failed(rule.failures, None, done)
        if rule.fraction is not None and _reaches(found, rule.fraction, done):
            return f"after the canary {_broken(rule, found, done, done)}"
    return ""


def _reaches(failed: int, fraction: float, of: int) -> bool:
    return failed > 0 and failed >= fraction * of - 1e-9  # 7% of 100 are 7, and a little more in binary


def _broken(rule: StopRule, failed: int, of: int, done: int) -> str:
    which = f"{'the last' if of < done else 'the'} {of:,} items done"
    why = "" if rule.failures is None else f" (class {rule.failures.value})"
    return f"the rule {rule} of stop_when holds: {failed:,} of {which} have failed{why}"


class AfterStartFailure(Enum):
    """What follows when a worker could not load the script."""

    FAIL_JOB = "fail job"
    START_AGAIN = "start again"
    GIVE_UP_SLOT = "give up slot"


@dataclass(frozen=True, kw_only=True)
class StartDecision:
    """What to do about a worker that could not start."""

    what: AfterStartFailure
    pause_s: float = 0.0
    """Before it is started again."""


def after_start_failure(ever_ready: bool, failures: int, slots_left: int) -> StartDecision:
    """Decide what follows a failed start (contract, section 5.4).

    Parameters
    ----------
    ever_ready
        Whether any worker of this job was ever ready.
    failures
        Failed starts of this slot in a row, this one included.
    slots_left
        Slots that are not given up, this one included.
    """
    if not ever_ready:
        return StartDecision(what=AfterStartFailure.FAIL_JOB)
    if failures <= START_TRIES:
        return StartDecision(what=AfterStartFailure.START_AGAIN, pause_s=START_PAUSES_S[failures - 1])
    if slots_left > 1:
        return StartDecision(what=AfterStartFailure.GIVE_UP_SLOT)
    return StartDecision(what=AfterStartFailure.FAIL_JOB)


#: Files are asked for their sizes where ``run()`` takes longer than this for one: asking takes 3 µs.
ASKS_FROM_S = 100e-6
#: A mini-batch that takes less than this need not be started before others: so much is queued ahead anyway.
LEAST_ORDERED_S = 0.020
#: So many bytes more or less say nothing about how long ``run()`` will take: what is read is a block.
TELLING_BYTES = 4096
#: Mini-batches that are put in order at once; up to twice as many at the end of the plan.
WINDOW_BATCHES = 8192


def may_ask_for_sizes(run_s: float, items: int) -> bool:
    """Say whether files may be asked for their sizes, after so many items took so long in ``run()``."""
    return items > 0 and run_s > ASKS_FROM_S * items


def telling_size(size_bytes: int) -> int:
    """Return as much of a size as says how long a mini-batch will take: whole blocks.

    The order of the input is not given up for a few bytes, unless somebody asks for it.
    """
    return size_bytes - size_bytes % TELLING_BYTES


def least_to_be_ordered(run_s: float, size_bytes: int) -> float:
    """Return how large a mini-batch must be to be put before others, in bytes.

    Parameters
    ----------
    run_s
        Time in ``run()`` so far.
    size_bytes
        What was scored in that time; 0: nothing is known yet, and all that have a size are put in order.
    """
    return max(1.0, LEAST_ORDERED_S * size_bytes / run_s) if size_bytes and run_s > 0 else 1.0


def window_end(lowest: int, known: int, plan_complete: bool) -> int:
    """Return where a window of the plan ends that begins with the first mini-batch still to be handed out.

    The first one may be the smallest, and come last: the window does not move on before it does. So what
    waits for it in the output has a bound. The last window takes in what would be too short for another.
    """
    if plan_complete and known - lowest <= 2 * WINDOW_BATCHES:
        return known
    return min(known, lowest + WINDOW_BATCHES)


def may_wait(remaining: int, load: Load, plan_complete: bool, begins_large: bool) -> bool:
    """Say whether the next task may be handed out now, though it may have to wait behind another.

    The last ones of a plan must not wait, nor what is large: nobody knows yet who will be free first. They
    are for a worker that has nothing to do.
    """
    is_last = plan_complete and remaining <= 2 * load.workers
    return load.idle > 0 or not (begins_large or is_last)


def largest_task(room: int, remaining: int, workers: int, plan_complete: bool) -> int:
    """Return how many mini-batches the next task may have, so that the workers finish together.

    Near the end of the plan each worker is handed at most half of its share of what is left.
    """
    if not plan_complete:
        return room
    return max(1, min(room, remaining // (2 * max(1, workers))))
