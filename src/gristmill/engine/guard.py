"""The guard: one process per node and run that outlives the coordinator just long enough to clean up.

It waits on a pipe that only the coordinator holds open. When that closes, for whatever reason, it kills
every process that carries the run's mark, until none is left, removes the run's temporary folder, and ends.
A coordinator that has done both itself says so with a byte, `CLEAN`; then there is nothing left to do.
It runs in a session of its own with an environment of its own, executes our code only, and is started as a
plain file: ``python -I -S guard.py RUN_ID SCRATCH_FOLDER``, with the pipe as its standard input.
"""

from __future__ import annotations

import os
import signal
import sys

CLEAN = b"\n"
"""The last word of a coordinator that leaves nothing behind."""


def main() -> int:
    """Wait for the coordinator's end, then sweep."""
    run_id = sys.argv[1]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    said = b""
    while heard := os.read(0, 4096):
        said = heard
    if said == CLEAN:
        return 0
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from sweep import RUN_MARK, sweep  # type: ignore[import-not-found]  # run as a file, beside its sibling

    sweep(RUN_MARK, run_id)
    import shutil  # slow to import, and nothing waits any more

    shutil.rmtree(sys.argv[2], ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
