"""Makes ``docs/performance.md`` from the results: ``python3 run.py bench --page``.

The text needs nothing but the results, and a test compares it with the page. The plots are drawn where there
is matplotlib; elsewhere they stay as they are.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from _bars import BARS, REASONS, Bar, Target, bar
from _plots import PLOTS, draw
from _results import RESULTS, Result, Row, Series, figure, load, on_what, rounds_in_words

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "performance.md"
FEW = 6  # columns that a reader can take in

HEAD = """\
# Performance

What Gristmill promises, and what was measured. This page is made by `python3 run.py bench` from the files in
`benchmarks/results`; nothing in it is written by hand.

All contestants of a table worked by turns in one run, so that whatever changes on the machine meets all of
them. A figure is the median of the rounds, with the least and the most in brackets; a ratio (×) is the median
of the rounds' ratios. Ratios carry over to other machines, seconds do not.

## The bars

"""

AGAIN = """\
## How to repeat it

```bash
python3 run.py bench                      # all of it, unattended, on a machine that does nothing else
python3 run.py bench overhead --rounds 9  # one of them
python3 run.py bench --quick              # does it all work? tiny sizes, this page stays as it is
python3 run.py bench --only-missing       # what has no result yet
```

The first time, the tools to compare with are installed into an environment of their own (`.venv/peers`, from
`requirements/peers.lock`). What cannot be installed or started is named as left out. How each program
measures stands in its first lines: [`benchmarks/`](../benchmarks/README.md).
"""


def main() -> int:
    results = committed()
    PAGE.write_text(as_page(results), encoding="utf-8")
    print(f"made docs/performance.md from {len(results)} results")
    if importlib.util.find_spec("matplotlib") is None:
        print("no matplotlib here: the plots are as they were")
        return 0
    for name in draw(results, DOCS):
        print(f"drew docs/{name}")
    return 0


def committed(folder: Path = RESULTS) -> dict[str, Result]:
    """Read all results that count, in the order of the bars, the others after them."""
    order = {target.benchmark: number for number, target in reversed([*enumerate(BARS)])}
    results = [load(path) for path in sorted(folder.glob("*.json"))]
    results.sort(key=lambda result: (order.get(result.name, len(BARS)), result.name))
    return {result.name: result for result in results}


def as_page(results: dict[str, Result]) -> str:
    """Return the whole page."""
    parts = [HEAD, _table_of_bars(results), "\n"]
    parts += ["\n".join(_section(result)) for result in results.values()]
    return "".join([*parts, AGAIN])


def _table_of_bars(results: dict[str, Result]) -> str:
    measured = {one.id: one for result in results.values() for one in result.bars}
    bars = [_judged(target, measured.get(target.id)) for target in BARS]
    counts = Counter(one.verdict for one in bars)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("met", "missed", "not measured"))
    lines = [f"{len(bars)} bars: {said}.", ""]
    lines += ["| Bar | What | Target | Measured | |", "|---|---|---|---|---|", *map(_bar, bars)]
    return "\n".join(lines) + "\n"


def _judged(target: Target, one: Bar | None) -> Bar:
    """Hold what was measured against what is promised today; a result may be older than the promise."""
    if one is None:
        return bar(target.id, None, f"`{target.benchmark}` has no result yet")
    return bar(target.id, one.measured, one.why)


def _bar(one: Bar) -> str:
    sign = "≤" if one.relation == "<=" else "≥"
    got = "–" if one.measured is None else f"{figure(one.measured)} {one.unit}"
    verdict = one.verdict if one.is_met is None else f"**{one.verdict}**"
    said = [one.why, REASONS.get(one.id, "") if one.is_met is False else ""]
    why = f": {'; '.join(filter(None, said))}" if any(said) else ""
    cells = [one.id, _cell(one.text), f"{sign} {figure(one.limit)} {one.unit}", got, f"{verdict}{_cell(why)}"]
    return f"| {' | '.join(cells)} |"


def _section(result: Result) -> Iterator[str]:
    yield f"## {result.name.capitalize()}"
    yield ""
    yield result.question
    for heading, rows in groupby(result.rows, key=lambda row: row.heading):
        yield ""
        yield f"### {heading[:1].upper()}{heading[1:]}"
        yield ""
        for plot in PLOTS:
            if (plot.benchmark, plot.heading) == (result.name, heading):
                yield f"![{heading}]({plot.file})"
                yield ""
        yield from _table(list(rows))
    yield ""
    yield from (f"* {note}" for note in result.notes)
    yield from (f"* Left out: {peer}, because {why}." for peer, why in result.left_out.items())
    if result.versions:
        yield f"* With {', '.join(f'{name} {version}' for name, version in result.versions.items())}."
    rounds = f"{rounds_in_words(result)} unless a row says otherwise, {result.took_s:,.0f} s"
    yield f"* `{result.command}`: {rounds}, {result.date.partition('T')[0]}; {on_what(result.machine)}."
    yield ""
    yield ""


def _table(rows: list[Row]) -> Iterator[str]:
    """Lay out rows of one heading: contestants down and pieces of work across, if these are few."""
    names = list(dict.fromkeys(one.contestant for row in rows for one in row.series))
    if len(rows) <= FEW:
        yield f"| | {' | '.join(f'{_cell(row.label)}, {row.unit}' for row in rows)} |"
        yield "|---" * (len(rows) + 1) + "|"
        for name in names:
            yield f"| {_cell(name)} | {' | '.join(_figures(row, name) for row in rows)} |"
        return
    yield f"| | {' | '.join(map(_cell, names))} |"
    yield "|---" * (len(names) + 1) + "|"
    for row in rows:
        yield f"| {_cell(row.label)}, {row.unit} | {' | '.join(_figures(row, name) for name in names)} |"


def _figures(row: Row, contestant: str) -> str:
    """Return a cell: median, spread and ratio; or why there is none."""
    one = next((series for series in row.series if series.contestant == contestant), None)
    if one is None:
        return ""
    note = f"; {_cell(one.note)}" if one.note else ""
    if not one.figures:
        return _cell(one.note)
    return f"{_spread(one)}{_ratio(row, one)}{note}"


def _spread(one: Series) -> str:
    if len(one.figures) == 1:
        return figure(one.figures[0])
    return f"{figure(one.median)} ({figure(min(one.figures))}–{figure(max(one.figures))})"


def _ratio(row: Row, one: Series) -> str:
    ratio = one.ratio_to(row.of(row.reference)) if row.reference not in ("", one.contestant) else None
    return "" if ratio is None else f", {figure(ratio)} ×"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    raise SystemExit(main())
