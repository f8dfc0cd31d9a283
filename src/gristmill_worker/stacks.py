"""A worker shows its stacks when it is asked: without the script's help, and without touching what it does.

`SIGNAL` makes Python's own ``faulthandler`` append the stack of every thread to a file of ours. It runs in
the C signal handler, so it answers from an endless loop, from a deadlock, and from native code that holds
the interpreter's lock. The first line of the file is the number of the descriptor: who asks looks there
whether it is still ours, since a script may have closed it and opened another file under the same number.

Where only an ancestor may look into a process (the kernel's Yama), the coordinator and what it starts are
named as those that may.
"""

import faulthandler
import os
import signal
from typing import Optional

from gristmill_worker.descriptors import out_of_reach

#: One that nothing known uses: C libraries take the first real-time signals, tools the last ones.
SIGNAL = signal.SIGRTMIN + 21

_PR_SET_PTRACER = 0x59616D61


def show_when_asked(path: str, tracer: Optional[int]) -> None:
    """Append the stacks to ``path`` whenever `SIGNAL` comes; let ``tracer`` look into this process, too.

    A script's own handler for the signal simply takes the place of ours. Where it cannot be had, nobody is
    told: then stacks are had in other ways, or not.
    """
    if tracer is not None:
        _let_trace(tracer)
    try:
        file = out_of_reach(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600))
        os.write(file, b"%d\n" % file)
        faulthandler.register(SIGNAL, file=file, all_threads=True, chain=False)
    except (OSError, AttributeError, RuntimeError, ValueError):
        pass  # no room for a file, or a Python without it


def _let_trace(tracer: int) -> None:
    try:
        import ctypes  # some Pythons come without it

        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, tracer, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass
