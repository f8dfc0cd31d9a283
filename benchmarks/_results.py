"""The form in which every benchmark hands in its figures, as a file and as a plain table.

A result is a question, the machine, and rows: the same work done by several contestants, each with one figure
for every round. `benchmarks/README.md` shows how a benchmark is written with it. It is saved as
``benchmarks/results/<name>.json``, which is committed and from which ``docs/performance.md`` is made; a quick
run is saved below ``results/quick``, which is not. No host name and no path gets into it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from _bars import Bar
from _machine import Machine, this_machine

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, kw_only=True)
class Series:
    """What one contestant came to in one row, a figure for each round that counts."""

    contestant: str
    figures: tuple[float, ...]  # in rounds' order; empty where there is none, and `note` says why
    note: str = ""  # how it was set, or why there is no figure

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.figures)):
            raise ValueError(f"{self.contestant}: a figure is not a number: {self.figures}")
        if not self.figures and not self.note:
            raise ValueError(f"{self.contestant}: no figure, and no note that says why")

    @property
    def median(self) -> float | None:
        return statistics.median(self.figures) if self.figures else None

    def ratio_to(self, other: Series) -> float | None:
        """Return how many times the other's figure ours is: the median over rounds done by turns.

        Where the two were not measured in the same number of rounds, it is the ratio of the medians.
        """
        if self.median is None or not other.median:
            return None
        if len(self.figures) == len(other.figures) and all(other.figures):
            pairs = zip(self.figures, other.figures, strict=True)
            return statistics.median(ours / theirs for ours, theirs in pairs)
        return self.median / other.median


@dataclass(frozen=True, kw_only=True)
class Row:
    """One piece of work and what each contestant took for it."""

    heading: str  # rows that follow each other under the same heading are one table
    label: str  # which work: "100,000 files, 10 per run()"
    unit: str  # of all figures of the row: "s", "files/s", "MB"
    series: tuple[Series, ...]
    reference: str = ""  # the contestant whose figure is 1 in the column of ratios

    def __post_init__(self) -> None:
        names = [one.contestant for one in self.series]
        if len(set(names)) < len(names) or (self.reference and self.reference not in names):
            raise ValueError(f"row {self.label!r}: contestants {names}, reference {self.reference!r}")

    def of(self, contestant: str) -> Series:
        """Return a contestant's series.

        Raises
        ------
        KeyError
            It has none in this row.
        """
        for one in self.series:
            if one.contestant == contestant:
                return one
        raise KeyError(f"{contestant!r} is not in the row {self.label!r}")

    def ratio(self, contestant: str, reference: str | None = None) -> float | None:
        """Return a contestant's figure as a multiple of the reference's."""
        return self.of(contestant).ratio_to(self.of(reference or self.reference))


@dataclass(frozen=True, kw_only=True)
class Result:
    """All that one benchmark has to say."""

    name: str  # of the program in benchmarks/, and of the file
    question: str  # what is measured and why it matters, in a sentence or two
    rounds: int  # that count; how each row was measured stands in its notes where it differs
    rows: tuple[Row, ...]
    bars: tuple[Bar, ...] = ()
    notes: tuple[str, ...] = ()  # what a reader must know to judge the figures
    left_out: dict[str, str] = field(default_factory=dict)  # peer → why it is not here
    versions: dict[str, str] = field(default_factory=dict)  # package → version
    machine: Machine = field(default_factory=this_machine)
    command: str = ""
    date: str = ""  # when it ended, UTC
    took_s: float = 0.0
    is_quick: bool = False  # small sizes: shows that the program works, says nothing about speed


def options(description: str) -> argparse.ArgumentParser:
    """Return a parser that knows what ``run.py bench`` may give to any benchmark: --rounds and --quick."""
    summary = description.partition("\n\n")[0].replace("\n", " ")
    parser = argparse.ArgumentParser(description=summary.replace("``", ""))
    parser.add_argument("--rounds", type=int, help="rounds that count")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, two rounds: does it work at all?")
    return parser


def hand_in(result: Result, began_s: float | None = None, folder: Path = RESULTS) -> int:
    """Print a result and save it; return 0, whether or not every bar is met: that is told, not hidden.

    Parameters
    ----------
    result
        Command, date and duration are filled in.
    began_s
        ``time.monotonic()`` when the benchmark began.
    folder
        Where results are kept.
    """
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    took_s = round(time.monotonic() - began_s, 1) if began_s is not None else 0.0
    whole = replace(result, command=_command(result.name), date=now.isoformat(), took_s=took_s)
    print(as_text(whole), flush=True)
    save(whole, folder)
    return 0


def save(result: Result, folder: Path = RESULTS) -> Path:
    """Write a result's file, all at once; a quick one stands apart and replaces no real one."""
    place = folder / "quick" if result.is_quick else folder
    place.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_rounded(asdict(result)), indent=1, ensure_ascii=False)
    path = place / f"{result.name}.json"
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.rename(path)
    return path


def load(path: Path) -> Result:
    """Read a result's file.

    Raises
    ------
    ValueError
        The file is not a result in this form; the message names it.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(_row(one) for one in raw.pop("rows"))
        bars = tuple(Bar(**one) for one in raw.pop("bars"))
        notes = tuple(raw.pop("notes"))
        return Result(rows=rows, bars=bars, notes=notes, machine=Machine(**raw.pop("machine")), **raw)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is not a result of a benchmark: {error}; measure it again") from error


def as_text(result: Result) -> str:
    """Return the result as plain tables: a line for each contestant, then the bars."""
    lines = [
        f"== {result.name}{', quick, which says nothing about speed' if result.is_quick else ''}",
        result.question,
        f"{on_what(result.machine)}; {rounds_in_words(result)}, {result.took_s:.0f} s",
    ]
    heading = None
    for row in result.rows:
        if row.heading != heading:
            heading = row.heading
            lines += ["", f"{heading:<58}{'median':>12}{'least':>12}{'most':>12}{'ratio':>9}"]
        lines.append(f"  {row.label}, {row.unit}")
        lines += [_line(row, one) for one in row.series]
    lines += [""] if result.bars else []
    lines += [in_words(one) for one in result.bars]
    lines += [f"left out: {peer}: {why}" for peer, why in result.left_out.items()]
    lines += [f"note: {note}" for note in result.notes]
    return "\n".join(lines)


def on_what(machine: Machine) -> str:
    """Return a machine in one line."""
    memory = f"{machine.memory_bytes / 2**30:.0f} GiB"
    system = f"Linux {machine.kernel}, Python {machine.python}"
    return f"{machine.cores} cores, {machine.cpu}, {memory}, {system}, load {machine.load:g} before"


def rounds_in_words(result: Result) -> str:
    return "1 round" if result.rounds == 1 else f"{result.rounds} rounds"


def in_words(one: Bar) -> str:
    """Return a bar as one line: verdict, what, target, measured, why."""
    sign = "≤" if one.relation == "<=" else "≥"
    got = "" if one.measured is None else f", measured {figure(one.measured)} {one.unit}"
    why = f" ({one.why})" if one.why else ""
    return f"{one.verdict:<12} {one.id}: {one.text}: {sign} {figure(one.limit)} {one.unit}{got}{why}"


def figure(value: float | None) -> str:
    """Return a number with three significant digits and thousands apart; "–" for none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _line(row: Row, one: Series) -> str:
    name = f"    {one.contestant}{f' ({one.note})' if one.note else ''}"
    if not one.figures:
        return name
    ratio = one.ratio_to(row.of(row.reference)) if row.reference else None
    least, most = min(one.figures), max(one.figures)
    return (
        f"{name:<58}{figure(one.median):>12}{figure(least):>12}{figure(most):>12}"
        f"{'' if ratio is None else figure(ratio) + ' ×':>9}"
    )


def _row(raw: dict[str, Any]) -> Row:
    series = (Series(**{**one, "figures": tuple(one["figures"])}) for one in raw.pop("series"))
    return Row(series=tuple(series), **raw)


def _rounded(value: Any) -> Any:
    """Keep six significant digits of every number: more say nothing, and the files stay small."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value


def _command(name: str, arguments: Sequence[str] | None = None) -> str:
    """Return the command as somebody else would type it; what is a path of this machine is left out."""
    given = sys.argv[1:] if arguments is None else arguments
    return " ".join(["python3 run.py bench", name, *("PATH" if "/" in one else one for one in given)])
