"""All benchmarks, one after the other, unattended: ``python3 run.py bench [NAMES] [ARGS]``.

A benchmark that fails does not keep back the others; it is named at the end. What is written into
``results/`` becomes ``docs/performance.md``.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from pathlib import Path

from _peers import python as contestants_python
from _results import RESULTS, load

HERE = Path(__file__).resolve().parent


def main() -> int:
    named, given, rest = _options(sys.argv[1:])
    if given.page:
        return _make_page()
    names = named or known()
    for name in names:
        if name not in known():
            print(f"there is no benchmark {name!r}; there are: {', '.join(known())}", file=sys.stderr)
            return 2
    if given.only_missing:
        names = [name for name in names if not _result(name, given.quick).exists()]
    passed_on = [*(["--quick"] if given.quick else []), *rest]
    passed_on += ["--rounds", str(given.rounds)] if given.rounds else []
    failed = run_all(names, passed_on)
    if not given.quick and _make_page():
        failed.append("the page")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run_all(names: list[str], arguments: list[str]) -> list[str]:
    """Run each benchmark as a program of its own; return those that failed."""
    began, failed = time.monotonic(), []
    for number, name in enumerate(names, 1):
        _say(f"{_clock(began)}  {number} of {len(names)}: {name}{_last_time(name)}")
        since = time.monotonic()
        if subprocess.call([sys.executable, str(HERE / f"{name}.py"), *arguments]):
            failed.append(name)
        verdict = "FAILED" if name in failed else "done"
        _say(f"{_clock(began)}  {name}: {verdict} after {_clock(since)}")
    return failed


def _last_time(name: str) -> str:
    """Say how long it took when its result was made, for those who wait."""
    try:
        took_s = load(_result(name, False)).took_s
    except (OSError, ValueError):  # there is none, or it is of an older form: it is about to be replaced
        return ""
    return f", which took {took_s / 60:.1f} minutes for its last result"


def known() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))


def _make_page() -> int:
    """Make the page where there is matplotlib for its plots; without, its text."""
    python = contestants_python()
    return subprocess.call([str(python), str(HERE / "_page.py")])


def _result(name: str, is_quick: bool) -> Path:
    return RESULTS / ("quick" if is_quick else "") / f"{name}.json"


def _clock(since: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - since), 60)
    return f"{minutes}:{seconds:02d}"


def _say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


def _options(arguments: list[str]) -> tuple[list[str], argparse.Namespace, list[str]]:
    """Return the benchmarks that are named first, what is for us, and what is for them."""
    names = list(itertools.takewhile(lambda word: not word.startswith("-"), arguments))
    parser = argparse.ArgumentParser(
        prog="python3 run.py bench [NAMES]",
        description=f"Measure, then make docs/performance.md. NAMES, all unless given: {', '.join(known())}. "
        "What is not listed here is passed on to each of them.",
        allow_abbrev=False,
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds that count, in each of them")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it all work? changes no page")
    parser.add_argument("--only-missing", action="store_true", help="only what has no result yet")
    parser.add_argument("--page", action="store_true", help="measure nothing, make the page anew")
    return names, *parser.parse_known_args(arguments[len(names) :])


if __name__ == "__main__":
    raise SystemExit(main())
