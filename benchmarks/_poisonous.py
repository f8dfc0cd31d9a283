"""A scoring script whose input files say what to do, the harmful ones included; used by others, too.

The text of a file is the name of its poison, or anything else for a good one. Standard library only. What is
told by the environment: POISON_WORK_S, seconds for each file; POISON_LIMIT_BYTES, the limit of memory that
the process sets itself, unless something else does.
"""

import os
import resource
import signal
import time

KINDS = ("raise", "exit", "segv", "kill", "memory", "loop", "return")
HUGE_BYTES = 8 << 30

_state = {"limited": False}


def init():
    _limit_memory()


def run(mini_batch):
    """Score files, one after the other; return their names."""
    _limit_memory()
    scored = [score(path) for path in mini_batch]
    return "not a list" if "return" in scored else [os.path.basename(path) for path in mini_batch]


def score(path):
    """Work on one file, or do the harm that it asks for; return its text."""
    with open(path) as file:
        text = file.read()
    time.sleep(float(os.environ.get("POISON_WORK_S", "0.01")))
    if text == "raise":
        raise ValueError("this file cannot be read")
    if text == "exit":
        os._exit(3)
    if text == "segv":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
    if text == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "memory":
        held = bytearray(HUGE_BYTES)
        for page in range(0, HUGE_BYTES, 4096):
            held[page] = 1  # until then it is only promised
    if text == "loop":
        while True:
            pass
    return text


def _limit_memory():
    """Limit this process once: what allocates too much in it fails, as in a container of that size."""
    limit = int(os.environ.get("POISON_LIMIT_BYTES", "0"))
    if limit and not _state["limited"]:
        _state["limited"] = True
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
