"""Named points at which a test may stop this process, to kill it there; see `gristmill.faults`.

Does nothing unless ``GRISTMILL_FAULT_POINT`` is ``name:count`` when the process starts: then the process
stops itself (SIGSTOP) when it reaches that point for the count-th time.
"""

import os
import signal

_NAME, _, _COUNT = os.environ.get("GRISTMILL_FAULT_POINT", "").partition(":")
_reached = 0


def reach(name: str) -> None:
    """Stop this process if this is the point that a test asked for."""
    if name == _NAME:
        global _reached
        _reached += 1
        if _reached == int(_COUNT or 1):
            os.kill(os.getpid(), signal.SIGSTOP)
