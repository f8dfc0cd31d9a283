"""The plots of ``docs/performance.md``: bars of medians with their spread, one plot for one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _results import Result, Row, figure

OURS, THEIRS = "#b3541e", "#98a6b1"
LOGARITHMIC_FROM = 15.0  # the largest median as a multiple of the smallest


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A table that is shown as a plot, too."""

    benchmark: str
    heading: str  # of the rows that are drawn
    file: str  # below docs/


PLOTS = (
    Plot(
        benchmark="overhead",
        heading="From the start of the listing to the written file",
        file="performance/overhead.png",
    ),
    Plot(
        benchmark="overhead",
        heading="What a mini-batch costs: time to the written file ÷ mini-batches",
        file="performance/mini-batch.png",
    ),
    Plot(benchmark="start", heading="from the shell to the prompt", file="performance/start.png"),
    Plot(benchmark="growth", heading="peak memory of the coordinator", file="performance/memory.png"),
    Plot(benchmark="growth", heading="listing alone", file="performance/listing.png"),
    Plot(benchmark="skew", heading="makespan, where the ideal is 1", file="performance/skew.png"),
    Plot(
        benchmark="writing",
        heading="from a data frame to the predictions file",
        file="performance/writing.png",
    ),
    Plot(
        benchmark="models",
        heading="Throughput of a real model, from the start of the listing to the written file",
        file="performance/models.png",
    ),
    Plot(
        benchmark="models",
        heading="Threads of numeric libraries: cores ÷ workers, or as many as there are cores",
        file="performance/threads.png",
    ),
)


def draw(results: dict[str, Result], docs: Path) -> Iterator[str]:
    """Draw every plot that there are figures for; yield the names of the files."""
    for plot in PLOTS:
        result = results.get(plot.benchmark)
        rows = [row for row in result.rows if row.heading == plot.heading] if result else []
        if rows:
            target = docs / plot.file
            target.parent.mkdir(exist_ok=True)
            _draw(rows, target)
            yield plot.file


def _draw(rows: list[Row], target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(len(rows), 3)
    lines = -(-len(rows) // columns)
    tallest = max(len(row.series) for row in rows)
    sheet, axes = pyplot.subplots(
        lines, columns, figsize=(3.6 * columns + 1.2, (0.32 * tallest + 0.75) * lines), squeeze=False
    )
    for place, row in zip(axes.flat, rows, strict=False):
        _bars(place, row)
    for place in axes.flat[len(rows) :]:
        place.set_visible(False)
    sheet.tight_layout()
    # No date and no version inside: the same figures give the same file.
    sheet.savefig(target, dpi=90, metadata={"Software": None})
    pyplot.close(sheet)


def _bars(place: Any, row: Row) -> None:
    shown = [one for one in row.series if one.median is not None]
    medians = [one.median or 0.0 for one in shown]
    named = [one.contestant.lower().startswith("gristmill") for one in shown]
    colours = [OURS if is_ours or not any(named) else THEIRS for is_ours in named]
    spread = [
        [median - min(one.figures) for one, median in zip(shown, medians, strict=True)],
        [max(one.figures) - median for one, median in zip(shown, medians, strict=True)],
    ]
    heights = range(len(shown))
    bars = place.barh(heights, medians, xerr=spread, color=colours, height=0.7, error_kw={"elinewidth": 1})
    place.bar_label(bars, [figure(median) for median in medians], fontsize=7, padding=3)
    place.set_yticks(heights, [one.contestant for one in shown], fontsize=8)
    place.invert_yaxis()
    is_wide = max(medians) > LOGARITHMIC_FROM * min(medians) > 0
    if is_wide:
        place.set_xscale("log")
        place.set_xlim(min(medians) / 3, max(medians) * 5)
    else:
        place.set_xlim(0, max(max(one.figures) for one in shown) * 1.25)
        place.locator_params(axis="x", nbins=5)
    place.set_title(row.label, fontsize=8)
    place.set_xlabel(f"{row.unit}{' (logarithmic)' if is_wide else ''}", fontsize=8)
    place.tick_params(axis="x", labelsize=7)
    for side in ("top", "right"):
        place.spines[side].set_visible(False)
