"""What `python3 run.py demo` shows: Gristmill classifies the files of Python's own library, or of a folder.

    python examples/filetypes/demo.py [FOLDER]

The work is one `gristmill run` command. It is printed, so that you can copy it; what follows it here only
reads the files that it wrote.
"""

import csv
import datetime
import os
import shlex
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
OUTPUT = Path("out/demo")
# Not Python's own, and copies of what stands beside them: they would be most of the result.
NOT_SCORED = ("site-packages/", "dist-packages/", "__pycache__/")


def main():
    """Run the demo; return the exit status of `gristmill run`."""
    folder, excluded = chosen(sys.argv[1:])
    job = f"filetypes-demo-{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}"
    command = [
        *(console_entry(), "run", "examples/filetypes/classify.py"),
        *("--input", str(folder)),
        *(word for pattern in excluded for word in ("--exclude", pattern)),
        *("--python", sys.executable),
        *("--workers", "2"),
        *("--mini-batch-size", "20"),
        *("--output-path", str(OUTPUT)),
        *("--job-name", job),
        "--overwrite",
    ]
    print(f"\nIn {CLONE}:\n\n  $ {shlex.join(command)}\n", flush=True)
    started = time.monotonic()
    status = subprocess.run(command, cwd=CLONE, check=False).returncode
    if status == 0:
        show(CLONE / OUTPUT / "predictions.csv", time.monotonic() - started)
        show_places(job)
    return status


def chosen(arguments):
    """Return the folder to score, and patterns of what is left out: nothing, where a folder was named."""
    if arguments:
        return Path(arguments[0]).absolute(), ()
    return Path(sysconfig.get_path("stdlib")), NOT_SCORED


def console_entry():
    """Return the `gristmill` command that belongs to this Python, as one would type it in the clone."""
    entry = Path(sysconfig.get_path("scripts"), "gristmill")
    return str(entry.relative_to(CLONE) if entry.is_relative_to(CLONE) else entry)


def show(predictions, seconds):
    """Print the counts, the commonest labels and the first lines of the predictions file."""
    with predictions.open(encoding="utf-8", errors="replace", newline="") as file:
        labels = Counter(row["label"] for row in csv.DictReader(file))
    rows = labels.total()
    print(f"\n{rows:,} files scored in {seconds:.1f} s, start to finish; {len(labels)} different types:\n")
    print(f"  {'label':<20} {'files':>7} {'share':>7}")
    for label, count in labels.most_common(10):
        print(f"  {label:<20} {count:>7,} {count / rows:>7.1%}")
    print("\nThe first lines of predictions.csv:\n")
    with predictions.open(encoding="utf-8", errors="replace") as file:
        for line, _ in zip(file, range(5), strict=False):
            print(f"  {line.rstrip()}")


def show_places(job):
    """Print where everything is, and how to look at it."""
    home = Path(os.environ.get("GRISTMILL_HOME") or Path.home() / ".gristmill")
    entry = console_entry()
    print("\nWhere everything is:\n")
    print(f"  predictions   {CLONE / OUTPUT / 'predictions.csv'}")
    print(f"  job folder    {home / 'jobs' / job}")
    print(f"  look          {entry} job show {job}")
    print(f"  proof         {entry} verify {job}\n")


if __name__ == "__main__":
    sys.exit(main())
