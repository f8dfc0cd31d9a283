"""The ledger of a replayed journal is the ledger of the process that wrote it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.engine.contract import Farewell, Scored, Span
from gristmill.run.checkpoint import Checkpoints
from gristmill.run.journal import Journal
from gristmill.run.ledger import Ledger
from gristmill.run.records import FailedTry, JobColumns, Modules, PlanComplete, Record, Start
from gristmill.run.replay import cut_off, read_history, revocation, scored_ranges

MINI_BATCHES, ITEMS_EACH = 12, 3
WHAT = ["score", "score", "fail", "fail", "revoke", "start", "other", "flush", "bye", "death"]


def state(ledger: Ledger) -> dict[str, Any]:
    values = vars(ledger)  # `held` too: what was released or revoked is released or revoked for ever
    return {**values, "scored": list(ledger.scored), "failed": list(ledger.failed)}


@st.composite
def histories(draw: st.DrawFn) -> list[list[Record]]:
    """Draw groups of records as a scheduler would write them: what is done is not done again unless it is
    revoked, and rows of a part follow each other. What a worker holds is released by its next outcome that is
    not held, or by its farewell, or revoked as a whole.
    """
    held: dict[int, list[Scored]] = {}
    done: dict[int, Scored] = {}
    failed: set[int] = set()
    tries: dict[int, int] = {}
    fence, part_size, parts = 1, 0, [1 << 20, 1 + (1 << 20)]
    groups: list[list[Record]] = [[Start(1, "run-1", "host", 1, "", False)]]
    for _ in range(draw(st.integers(0, 25))):
        open_batches = [n for n in range(MINI_BATCHES) if n not in done and n not in failed]
        what = draw(st.sampled_from(WHAT))
        if what == "score" and open_batches:
            first = draw(st.sampled_from(open_batches))
            attempt = tries.get(first, 0) + 1
            most = 1
            while first + most in open_batches and tries.get(first + most, 0) == attempt - 1:
                most += 1  # a worker may tell consecutive mini-batches of the same try as one
            batches = draw(st.integers(1, most))
            for number in range(first, first + batches):
                tries.pop(number, None)
            total = batches * ITEMS_EACH
            length = draw(st.sampled_from([0, 5]))
            part, is_held = draw(st.sampled_from(parts)), draw(st.booleans())
            scored = Scored(Span(first, batches), attempt, total, draw(st.integers(0, total)), part,
                            part_size, length, 1, 0, 0, 0.5, 0, held=int(is_held))  # fmt: skip
            part_size += length
            if is_held:
                held.setdefault(part, []).append(scored)
            else:
                held.pop(part, None)
            done.update(dict.fromkeys(range(first, first + batches), scored))
            groups[-1].append(scored)
        elif what == "fail" and open_batches:
            first = draw(st.sampled_from(open_batches))
            tries[first] = tries.get(first, 0) + 1
            final = tries[first] == 3
            if final:
                failed.add(first)
                del tries[first]
            groups[-1].append(
                FailedTry(
                    Span(first),
                    3 if final else tries[first],
                    "exception",
                    "no",
                    "",
                    0.25,
                    0,
                    "log",
                    final,
                    ITEMS_EACH,
                    "",
                )
            )
        elif what == "revoke" and any(scored.length for scored in done.values()):
            scored = draw(st.sampled_from([scored for scored in done.values() if scored.length]))
            done = {number: one for number, one in done.items() if one is not scored}
            groups[-1].append(revocation(scored))
            held = {part: [one for one in ones if one is not scored] for part, ones in held.items()}
            held = {part: ones for part, ones in held.items() if ones}
        elif what in ("bye", "death") and held:
            part = draw(st.sampled_from(sorted(held)))
            ones = held.pop(part)
            parts = [max(parts) + 1 if one == part else one for one in parts]  # a new worker, a new part
            if what == "bye":
                groups[-1].append(Farewell(0, part, 1, part_size, 0, 0))
            for scored in ones if what == "death" else ():
                if any(one is scored for one in done.values()):  # it may have been revoked on its own
                    done = {number: one for number, one in done.items() if one is not scored}
                    groups[-1].append(revocation(scored))
        elif what == "start":
            fence, part_size = fence + 1, 0
            parts = [fence << 20, 1 + (fence << 20)]
            retry_failed = draw(st.booleans())
            if retry_failed:
                failed, tries = set(), {}
            groups.append([Start(fence, f"run-{fence}", "host", 1, "", retry_failed)])
        elif what == "other":
            record = draw(st.sampled_from([PlanComplete(12, 36), JobColumns(1, ("a",)),
                                           Modules((("x.py", "0"),))]))  # fmt: skip
            groups[-1].append(record)
        else:
            groups.append([])
    return groups


@settings(max_examples=60)
@given(histories())
def test_replay_of_the_journal_is_the_live_state(groups: list[list[Record]]) -> None:
    live = Ledger()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.bin")
        journal = Journal(path, 1, 0)
        for group in groups:
            for record in group:
                journal.record(record)
                live.apply(record)
            journal.flush()
            assert state(read_history(path).ledger) == state(live)
        journal.close()


@settings(max_examples=60)
@given(histories(), st.integers(0, 25))
def test_with_a_checkpoint_anywhere_the_history_is_the_same(groups: list[list[Record]], at: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, kept = Path(folder, "journal.bin"), Path(folder, "checkpoint.json")
        live, journal = Ledger(), Journal(path, 1, 0)
        checkpoints = Checkpoints(kept, path, None, every_bytes=1)
        for number, group in enumerate(groups):
            for record in group:
                journal.record(record)
                live.apply(record)
            journal.flush()
            if number == min(at, len(groups) - 1):
                journal.mark()
                checkpoints.keep(live, journal.size)
        journal.close()
        with_it, without = read_history(path, kept), read_history(path)
    assert with_it.checkpoint is not None
    assert state(with_it.ledger) == state(without.ledger)
    assert (with_it.size, with_it.run_ids, with_it.revoked) == (
        without.size,
        without.run_ids,
        without.revoked,
    )
    assert with_it.untrusted == without.untrusted


@given(histories())
def test_every_mini_batch_is_in_at_most_one_end_state(groups: list[list[Record]]) -> None:
    ledger = Ledger()
    for group in groups:
        for record in group:
            ledger.apply(record)
    states = [
        (number in ledger.scored) + (number in ledger.failed) + (number in ledger.attempts)
        for number in range(MINI_BATCHES)
    ]
    assert max(states) <= 1
    assert ledger.items_succeeded + ledger.items_missing == ledger.scored.count * ITEMS_EACH
    assert ledger.items_failed == ledger.failed.count * ITEMS_EACH
    assert min(ledger.items_succeeded, ledger.items_missing) >= 0


@given(histories())
def test_what_is_held_is_scored_and_not_void(groups: list[list[Record]]) -> None:
    ledger = Ledger()
    for group in groups:
        for record in group:
            ledger.apply(record)
    for part, ones in ledger.held.items():
        assert ones
        for span, scored in ones.items():
            assert (scored.part, scored.span, scored.held) == (part, span, 1)
            assert set(range(span.first, span.first + span.batches)) <= {
                n for start, end in ledger.scored for n in range(start, end)
            }


@settings(max_examples=60)
@given(histories())
def test_the_scored_ranges_of_a_journal_are_those_of_its_ledger(groups: list[list[Record]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.bin")
        journal = Journal(path, 1, 0)
        for group in groups:
            for record in group:
                journal.record(record)
            journal.flush()
        journal.close()
        history = read_history(path)
        ranges = [scored.span for scored in scored_ranges(path, history.revoked)]
    numbers = [number for span in ranges for number in range(span.first, span.first + span.batches)]
    assert sorted(numbers) == [n for start, end in history.ledger.scored for n in range(start, end)]


@settings(max_examples=60)
@given(histories(), st.integers(0, MINI_BATCHES), st.booleans())
def test_after_a_changed_listing_nothing_is_known_of_what_lies_beyond_the_change(
    groups: list[list[Record]], unchanged: int, retry_failed: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.bin")
        journal = Journal(path, 1, 0)
        for group in groups:
            for record in group:
                journal.record(record)
            journal.flush()
        journal.close()
        history = read_history(path)
        void = cut_off(path, history.revoked, unchanged)
    ledger = history.ledger
    for record in (Start(99, "run-99", "host", 1, "", retry_failed), *void):
        ledger.apply(record)
    beyond = range(unchanged, MINI_BATCHES)
    assert [n for n in beyond if ledger.is_done(n) or n in ledger.attempts] == []
    assert ledger.items_failed == ledger.failed.count * ITEMS_EACH
    assert ledger.items_succeeded + ledger.items_missing == ledger.scored.count * ITEMS_EACH
    assert min(ledger.items_succeeded, ledger.items_missing) >= 0
