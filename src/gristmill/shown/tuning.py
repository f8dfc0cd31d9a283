"""What was measured and what is recommended, in the words of people: for a terminal and for Python alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gristmill.shown.words import counted, duration

if TYPE_CHECKING:
    from gristmill.service.tune import Tuning
    from gristmill.service.tuning.decision import Recommendation
    from gristmill.service.tuning.facts import LeftOut, Measurements, Shares

#: Files that failed are named, so many at most.
_MOST_LEFT_OUT = 5
_LINES_OF_DETAIL = 20
_LONGEST_LINE = 300


def lines(tuning: Tuning, typed: str) -> list[str]:
    """Show all of it.

    Parameters
    ----------
    tuning
        What came of it.
    typed
        The command, or the call, that starts a job with what is recommended; empty: there is none.

    Returns
    -------
    list of str
        Lines: the input, the start, a table of sizes, what the time goes into, then what to set and why.
    """
    shown = [_row("python", tuning.python), _row("input", _input(tuning))]
    measured, recommended = tuning.measurements, tuning.recommendation
    if measured is None or recommended is None:
        return [*shown, *_problem(tuning.problem)]
    shown += _measured(measured)
    shown += _left_out(tuning.left_out)
    shown += [_row("notice", one) for one in tuning.notices]
    if tuning.interrupted:
        shown.append(_row("notice", "it was interrupted: less is known than the budget allowed"))
    return [
        *shown,
        "",
        *_recommended(measured, recommended),
        "",
        *((typed, "", "or, in a deployment file:") if typed else ()),
        *yaml_lines(recommended, is_bare_script=tuning.is_bare_script),
    ]


def yaml_lines(recommended: Recommendation, *, is_bare_script: bool) -> list[str]:
    """Return the settings as lines of a deployment file."""
    settings = [f"  mini_batch_size: {recommended.mini_batch_size}"]
    if not is_bare_script:
        settings.append(f"  max_concurrency_per_instance: {recommended.workers}")
    settings.append(f"  retry_settings: {{timeout: {recommended.timeout_s}}}")
    block = [f"gristmill: {{workers: {recommended.workers}}}"] if is_bare_script else []
    return ["settings:", *settings, *block]


def reasons(measured: Measurements, recommended: Recommendation) -> tuple[str, str, str]:
    """Say why: of the mini-batch size, the workers and the timeout, a sentence each."""
    return (
        _why_size(measured, recommended),
        _why_workers(measured, recommended),
        _why_timeout(measured, recommended),
    )


def _row(key: str, value: str) -> str:
    return f"{key:<12}{value}"


def _input(tuning: Tuning) -> str:
    files = tuning.files
    about = "about " if files.sampled < files.files else ""
    rows = f", {counted(files.median_rows, 'line')}" if files.median_rows is not None else ""
    sample = f"; a sample of {files.sampled:,} was looked at" if about else ""
    return (
        f"{counted(files.files, 'file')}, {about}{_size(files.total_bytes)}; the median has "
        f"{_size(files.median_bytes)}{rows}, the largest {_size(files.largest_bytes)}{sample}"
    )


def _measured(measured: Measurements) -> Iterator[str]:
    start = measured.start
    yield _row(
        "start",
        f"{_seconds(start.seconds)} (import {_seconds(start.import_s)}, init() {_seconds(start.init_s)}); "
        f"{_size(start.held_bytes)} of memory after it",
    )
    memory = (
        f"{_size(measured.memory_bytes)} of memory at hand" if measured.memory_bytes else "memory unknown"
    )
    gpus = f", GPUs for {counted(measured.gpu_workers, 'worker')}" if measured.gpu_workers else ""
    yield _row("machine", f"{counted(measured.cores, 'core')}, {memory}{gpus}")
    yield ""
    yield "one worker alone:"
    yield f"{'files a call':>14}{'seconds':>12}{'per file':>12}{'memory':>12}{'calls':>8}"
    for one in measured.sizes:
        yield (
            f"{one.size:>14,}{_seconds(one.seconds):>12}{_seconds(one.seconds / one.size):>12}"
            f"{_size(one.peak_bytes):>12}{one.calls:>8,}"
        )
    if measured.side_by_side:
        yield ""
        yield "side by side:"
        first = measured.side_by_side[0].files_per_s
        for crew in measured.side_by_side:
            gain = f"  × {crew.files_per_s / first:.2f}" if crew.workers > 1 and first else ""
            yield f"{counted(crew.workers, 'worker'):>14}{_rate(crew.files_per_s):>18}{gain}"
    yield ""
    yield _row("time", _time(measured.shares))
    if measured.short:
        yield _row(
            "notice",
            f"{counted(measured.short, 'call')} returned fewer results than files: some count as failed",
        )
    for why_not in measured.not_measured:
        yield _row("not known", why_not)


def _time(shares: Shares) -> str:
    parts = (
        ("computing", shares.computing),
        ("reading", shares.reading),
        ("waiting", shares.waiting),
        ("writing rows", shares.writing),
    )
    told = ", ".join(f"{share:.0%} {what}" for what, share in parts)
    return f"of a call: {told}; {shares.cores:.1f} cores busy"


def _left_out(left_out: tuple[LeftOut, ...]) -> Iterator[str]:
    for one in left_out[:_MOST_LEFT_OUT]:
        more = f" (and {len(one.names) - 1:,} more)" if len(one.names) > 1 else ""
        yield _row("left out", f"{one.names[0]}{more}: {_short(one.message)}")
    if len(left_out) > _MOST_LEFT_OUT:
        yield _row("", f"and {len(left_out) - _MOST_LEFT_OUT:,} more that failed")


def _problem(problem: LeftOut | None) -> Iterator[str]:
    yield ""
    if problem is None:
        yield "nothing could be measured: no call had returned in time; give more with --budget"
        return
    message = _short(problem.message) if problem.detail else problem.message
    what = f"{problem.names[0]}: {message}" if problem.names else message
    yield f"nothing could be measured: {what}"
    detail = "" if problem.detail.strip() == problem.message else problem.detail
    for line in detail.splitlines()[-_LINES_OF_DETAIL:]:
        yield f"  | {_short(line)}"
    if problem.kind == "timeout":
        yield "if it needs longer, give it more: --budget for run(), --init-timeout for the start"
        return
    if problem.names:
        yield "every file that was tried failed"
    yield "correct the script, then tune again; gristmill check says more"


def _recommended(measured: Measurements, recommended: Recommendation) -> Iterator[str]:
    size, workers, timeout = reasons(measured, recommended)
    yield "recommended:"
    yield _setting("mini_batch_size", f"{recommended.mini_batch_size:,}", size)
    yield _setting("workers", f"{recommended.workers:,}", workers)
    yield _setting("timeout", f"{recommended.timeout_s:,} s", timeout)
    yield _setting("the whole", _span(recommended.expected.seconds), _gain(measured, recommended))


def _setting(name: str, value: str, why: str) -> str:
    return f"  {name:<16}{value:>7}  {why}"


def _gain(measured: Measurements, recommended: Recommendation) -> str:
    now, then = recommended.as_it_is, recommended.expected
    current = measured.current
    rate = f"about {_rate(then.files_per_s)}"
    same = (now.mini_batch_size, now.workers) == (then.mini_batch_size, then.workers)
    if same:
        return f"{rate}; the settings are so already"
    return (
        f"{rate}; as it is now ({counted(current.mini_batch_size, 'file')} a call, "
        f"{counted(current.workers, 'worker')}): {_span(now.seconds)}"
    )


def _why_size(measured: Measurements, recommended: Recommendation) -> str:
    size, call = recommended.mini_batch_size, _seconds(recommended.call_s)
    share = f"{recommended.fixed_share:.0%}"
    if recommended.expected == recommended.as_it_is:
        return f"as it is now; a call takes {call}, and another size wins nothing worth having"
    if size >= measured.files.files:
        return f"all files are one mini-batch of {call}"
    if -(-measured.files.files // size) <= recommended.workers:
        return f"one mini-batch of {call} for each worker: there are no more files"
    if size == 1:
        return f"a call with one file takes {call}, and with more a file takes no less"
    if size == measured.sizes[-1].size and recommended.fixed_share > 0.03:
        return f"the most that was measured; of its {call}, {share} are the call's fixed cost"
    return f"of its {call}, {share} are the call's fixed cost: a larger one wins little"


def _why_workers(measured: Measurements, recommended: Recommendation) -> str:
    whole = _span(recommended.expected.seconds)
    cores, busy = counted(measured.cores, "core"), f"{measured.shares.cores:.1f}"
    words = {
        "CPU": f"CPU binds: {cores}, and a worker keeps {busy} busy",
        "memory": _memory_binds(measured, recommended),
        "reading": f"reading binds: {measured.shares.reading:.0%} of a call",
        "waiting": f"waiting binds: {measured.shares.waiting:.0%} of a call",
        "GPU": "the GPUs bind",
        "start": f"the start binds: {_seconds(measured.start.seconds)} of {whole}",
        "input": "the input binds: there are no more mini-batches",
    }[recommended.binds.value]
    if recommended.workers > measured.cores:
        return f"{words}; what it waits for must bear {recommended.workers} at once"
    if recommended.idle > 0.1:
        return f"{words}; {recommended.idle:.0%} of their time is idle at the end"
    return words


def _memory_binds(measured: Measurements, recommended: Recommendation) -> str:
    at_hand = f" of {_size(measured.memory_bytes)}" if measured.memory_bytes else ""
    peak = next((one.peak_bytes for one in measured.sizes if one.size >= recommended.mini_batch_size), 0)
    return f"memory binds: a worker takes up to {_size(max(peak, measured.start.peak_bytes))}{at_hand}"


def _why_timeout(measured: Measurements, recommended: Recommendation) -> str:
    slowest, grown = _seconds(measured.slowest_file_s), measured.growth
    larger = f" × {grown:.1f} (larger ones)" if grown > 1.05 else ""
    return f"4 × a call with the slowest file ({slowest} alone{larger}), at least 30 s"


def _seconds(seconds: float) -> str:
    if seconds >= 100:
        return duration(seconds)
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.3g} ms" if seconds >= 0.001 else f"{seconds * 1000:.2g} ms"


def _short(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}…"


def _span(seconds: float) -> str:
    return duration(seconds) if seconds >= 10 else _seconds(seconds)


def _rate(files_per_s: float) -> str:
    return f"{files_per_s:,.0f} files/s" if files_per_s >= 10 else f"{files_per_s:.2g} files/s"


def _size(size_bytes: float | None) -> str:
    value, unit = float(size_bytes or 0), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.3g} {unit}"
