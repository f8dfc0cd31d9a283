"""Kills at random: of the coordinator, a worker, the guard or all of them, at any moment or at a named point.

What is drawn depends on the seed alone; how far a job is when the kill comes depends on the machine.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from subprocess import Popen

from faults.killing import KilledJob
from faults.processes import children_of, is_stopped, kill, wait_until
from faults.random_jobs import RandomJob, drawn_job
from faults.scripts import Shape
from gristmill.faults import POINTS, WORKER_POINTS

_VICTIMS = ("coordinator", "tree", "worker", "guard")
_VICTIM_WEIGHTS = (4, 4, 3, 1)
_MOMENTS = ("point", "calls", "time")
_MOMENT_WEIGHTS = (4, 3, 3)
#: Points that a job meets more than once.
_REPEATED = ("journal.", "sync.", "files.", "publish.before_write", "publish.after_write", "worker.")
_MOST_RESUMES = 4
#: What tells when and where a line of failures.jsonl was made, and how often it was tried until then.
_NOT_COMPARED = ("tries", "at", "seconds", "worker", "log")


@dataclass(frozen=True, kw_only=True)
class Strike:
    """When somebody is to be killed, and who."""

    victim: str
    moment: str
    point: str
    """The named point and its count, where that is the moment."""
    share: float
    """How far through the job, else."""
    is_calm: bool
    """Whether everything of the old run is to be gone before the job is resumed."""


@dataclass(kw_only=True)
class Outcome:
    """What came of one seed."""

    seed: int
    shape: str
    mini_batches: int
    measures_calls: bool
    kills: int = 0
    victims: dict[str, int] = field(default_factory=dict)
    jobs: int = 0
    resumes: int = 0
    lost: int = 0
    """Lines, or whole files, of an undisturbed output that are missing."""
    twice: int = 0
    """Lines, or whole files, that an undisturbed output does not have."""
    identical: int = 0
    """Jobs whose output is that of an undisturbed run, byte for byte."""
    verified: int = 0
    """Jobs of which verify finds nothing wrong."""
    redone_per_kill: list[float] = field(default_factory=list)
    """By job, share of the calls of run() that were made again, for each kill."""
    processes_left: int = 0
    folders_left: int = 0
    problems: list[str] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    """What was done, in order."""


def drawn_strike(seed: int, number: int, may_start: bool, may_kill_worker: bool) -> Strike:
    """Draw when and whom to kill; ``may_start``: the job is started anew, so a named point can be met."""
    chance = Random(f"strike {seed} {number}")
    victim = chance.choices(_VICTIMS, _VICTIM_WEIGHTS)[0]
    if victim == "worker" and not may_kill_worker:
        victim = "tree"
    moment = chance.choices(_MOMENTS, _MOMENT_WEIGHTS)[0]
    if moment == "point" and not may_start:
        moment = "calls"
    is_in_worker = chance.random() < 0.25 and victim != "guard"
    point = chance.choice(WORKER_POINTS if is_in_worker else POINTS)
    count = 1 + int(chance.expovariate(0.15)) if point.startswith(_REPEATED) else 1
    return Strike(
        victim=victim,
        moment=moment,
        point=f"{point}:{count}",
        share=chance.random(),
        is_calm=chance.random() < 0.5,
    )


def killed_at_random(folder: Path, seed: int, kills: int, make_long_listing: Callable[[], Path]) -> Outcome:
    """Run the job of a seed undisturbed, then again with so many kills; compare.

    A job that completes before all kills were dealt is followed by another one of the same shape.
    """
    drawn = drawn_job(seed)
    shape = drawn.shape
    listing = make_long_listing() if shape.listing_is_long else None
    outcome = Outcome(
        seed=seed, shape=shape.name, mini_batches=shape.mini_batches, measures_calls=drawn.measures_calls
    )
    undisturbed = KilledJob(folder / "undisturbed", shape, listing)
    started = time.monotonic()
    status = undisturbed.run_to_the_end("run")
    duration_s = time.monotonic() - started
    if status != 0 or undisturbed.verification.problems:
        outcome.problems.append(f"the undisturbed job ended with {status}; it said:\n{undisturbed.said}")
        return outcome
    while outcome.kills < kills and outcome.jobs < 4 * kills and not outcome.problems:
        outcome.jobs += 1
        _Killing(KilledJob(folder / f"killed-{outcome.jobs}", shape, listing), drawn, outcome, duration_s).go(
            kills, undisturbed
        )
    return outcome


class _Killing:
    """One job and those who are killed while it runs."""

    def __init__(self, job: KilledJob, drawn: RandomJob, outcome: Outcome, duration_s: float) -> None:
        self.job = job
        self.drawn = drawn
        self.outcome = outcome
        self.duration_s = duration_s
        self.kills = 0
        self.worker_kills = 0
        self.process: Popen[bytes] | None = None

    def go(self, kills: int, undisturbed: KilledJob) -> None:
        """Kill, resume, and so on, until the job is complete or so many were killed; then look at it."""
        while self.outcome.kills < kills and not self.is_completed:
            strike = drawn_strike(
                self.outcome.seed,
                self.outcome.kills + 100 * self.outcome.jobs,
                self.process is None,
                self.worker_kills < self.drawn.worker_kills,
            )
            self._strike(strike)
        self._complete()
        self._look(undisturbed)

    @property
    def is_completed(self) -> bool:
        path = self.job.job_folder / "job.json"
        return path.exists() and self.job.status == "Completed"

    @property
    def command(self) -> str:
        return "resume" if (self.job.job_folder / "job.json").exists() else "run"

    def _strike(self, strike: Strike) -> None:
        if self.process is None:
            self.outcome.resumes += self.command == "resume"
            self.process = self.job.start(self.command, strike.point if strike.moment == "point" else "")
        process = self.process
        if not self._wait_for(strike, process):
            process.wait()
            self.outcome.struck.append(f"{strike.moment} {strike.point} missed: ended {process.returncode}")
            self.process = None
            return
        victim = self._kill(strike.victim, process)
        self.kills += 1
        self.outcome.kills += 1
        self.outcome.victims[victim] = self.outcome.victims.get(victim, 0) + 1
        at = strike.point if strike.moment == "point" else f"{strike.moment} {strike.share:.2f}"
        self.outcome.struck.append(f"{victim} at {at}, {len(self.job.calls())} calls")
        self.job.let_go_on(process)
        if victim in ("coordinator", "tree"):
            process.wait()
            self.process = None
            if strike.is_calm:
                self._wait_for_calm()

    def _wait_for(self, strike: Strike, process: Popen[bytes]) -> bool:
        """Wait for the moment; return whether it came before the end of the process."""
        if strike.moment == "point":
            wait_until(
                lambda: (
                    process.poll() is not None
                    or is_stopped(process.pid)
                    or any(map(is_stopped, children_of(process.pid)))
                ),
                f"{strike.point} or the end",
            )
            return process.poll() is None

        def has_ended() -> bool:
            self.job.let_go_on(process)  # of a point that was met, a second worker may stop at it as well
            return process.poll() is not None

        due = time.monotonic()
        if strike.moment == "calls":
            done = len(self.job.calls())
            wanted = done + int(strike.share * max(1, self.drawn.shape.mini_batches - done))
            wait_until(lambda: has_ended() or len(self.job.calls()) >= wanted, f"{wanted} calls")
            due = time.monotonic() + strike.share * 0.02
        else:
            due += strike.share**2 * self.duration_s  # rather early than late: what is left is ever less
        wait_until(lambda: has_ended() or time.monotonic() >= due, "a moment")
        return process.poll() is None

    def _kill(self, victim: str, process: Popen[bytes]) -> str:
        """Kill the victim; where there is none of its kind, the coordinator."""
        found = {"worker": self.job.workers, "guard": self.job.guards}.get(victim, list)()
        if victim == "worker" and found:
            stopped = [worker for worker in found if is_stopped(worker)]
            kill((stopped or found)[0])
            self.worker_kills += 1
        elif victim == "guard" and found:
            kill(*found)
        elif victim == "tree":
            self.job.kill("tree", process.pid)
        else:
            victim = "coordinator"
            kill(process.pid)
        return victim

    def _wait_for_calm(self) -> None:
        """Wait until the guard has done its work, and count what it left."""
        try:
            wait_until(lambda: not self.job.processes(), "the end of every process of the run")
        except AssertionError:
            if not self._had_a_guard_killed():
                self.outcome.processes_left += len(self.job.processes())
                self.outcome.problems.append(f"processes are left: {self.job.processes()}")

    def _had_a_guard_killed(self) -> bool:
        return any(line.startswith("guard") for line in self.outcome.struck)

    def _complete(self) -> None:
        """Let the job come to its end, and resume it until it is complete."""
        if self.process is not None:
            process = self.process
            self.job.wait_for_end(process)
        for _ in range(_MOST_RESUMES):
            if self.is_completed:
                return
            self.outcome.resumes += self.command == "resume"
            self.job.run_to_the_end(self.command)

    def _look(self, undisturbed: KilledJob) -> None:
        """Compare with the undisturbed job, and note everything that is not as it must be."""
        outcome, job = self.outcome, self.job
        left = job.leftovers()
        outcome.processes_left += sum("every process" in one for one in left)
        outcome.folders_left += sum("every process" not in one for one in left)
        outcome.problems += left
        if not self.is_completed:
            outcome.problems.append(f"the job is {job.status}; it said:\n{job.said}")
            return
        found = job.verification.problems
        outcome.verified += not found
        outcome.problems += [f"verify: {problem}" for problem in found]
        wanted, there = undisturbed.all_outputs(), job.all_outputs()
        differing = self._compared(wanted, there)
        outcome.identical += not differing
        outcome.problems += differing
        if self.drawn.measures_calls and self.kills:
            self._look_at_calls()

    def _compared(self, wanted: dict[str, bytes], there: dict[str, bytes]) -> list[str]:
        differing = []
        for name in sorted({*wanted, *there}):
            one, other = wanted.get(name), there.get(name)
            if name == "failures.jsonl" and one and other and self._are_alike(one, other):
                continue
            if one == other:
                continue
            before, after = Counter((one or b"").splitlines()), Counter((other or b"").splitlines())
            lost, more = before - after, after - before
            self.outcome.lost += lost.total() or (other is None)
            self.outcome.twice += more.total() or (one is None)
            differing.append(f"{name}: lost {list(lost)[:3]}, too many {list(more)[:3]}")
        return differing

    def _are_alike(self, one: bytes, other: bytes) -> bool:
        """Say whether two failures.jsonl are alike. A worker that we killed while it had a bad file may be
        the reason given for that file.
        """
        before, after = (list(map(json.loads, lines.splitlines())) for lines in (one, other))
        if len(before) != len(after):
            return False
        for line in (*before, *after):
            for key in _NOT_COMPARED:
                line.pop(key)
            if line["reason"] == "timeout":  # where it was just then
                line.update(message="", traceback="", activity="")
        differing = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
        return len(differing) <= self.worker_kills and all(
            (old.get("input"), "worker_died") == (new.get("input"), new["reason"]) for old, new in differing
        )

    def _look_at_calls(self) -> None:
        shape: Shape = self.drawn.shape
        share = self.job.calls_redone() / shape.mini_batches / self.kills
        if shape.mini_batches >= 1000:
            self.outcome.redone_per_kill.append(share)
            if share > 0.02:
                self.outcome.problems.append(f"{share:.2%} of the calls were made again for each kill")
