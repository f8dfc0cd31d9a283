"""Jobs that fail, hold and go on when a test says so."""

from __future__ import annotations

import subprocess
from pathlib import Path

from flow.mill import Mill, until

# Files say what happens: "ok", "bad" (raises until there is a file `repaired`), "wait" (until there is `go`).
SCRIPT = """
def init():
    noted("pids", str(os.getpid()))

def run(mini_batch):
    called(mini_batch)
    for path in mini_batch:
        kind = Path(path).read_text()
        if kind == "bad" and not (HERE / "repaired").exists():
            raise ValueError("as asked")
        if kind == "wait":
            held_until("go")
    return [f"row of {name}" for name in names(mini_batch)]
"""


ONE_BY_ONE = "mini_batch_size: 1, retry_settings: {max_retries: 0}"


def rows(*numbers: int) -> bytes:
    return b"".join(b"row of %03d\n" % number for number in numbers)


def prepared(mill: Mill, kinds: list[str], settings: str = "mini_batch_size: 1") -> Mill:
    mill.inputs({f"{number:03d}": kind for number, kind in enumerate(kinds)})
    mill.script(SCRIPT)
    mill.deployment(settings)
    return mill


def is_gone(pid: str) -> bool:
    """A process has ended; one that nobody has waited for is gone as well."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def held(mill: Mill, *words: str) -> subprocess.Popen[bytes]:
    """Start a job that holds in its second mini-batch."""
    prepared(mill, ["ok", "wait", "ok"])
    process = mill.start_run(*words)
    until(lambda: "001" in mill.calls(), "the held mini-batch has been called")
    return process
