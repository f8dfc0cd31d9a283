"""What the tests of bad input share: files that hold their names, and what stays true whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterable

from flow.mill import Ended, Mill

ABC = ["a", "b", "c"]
ONE_EACH = "mini_batch_size: 1, retry_settings: {max_retries: 0}"


# Returns what stands in each file; the files of these tests hold their own name.
READS = """
def init(): pass

def run(mini_batch):
    called(mini_batch)
    return [Path(path).read_bytes().decode("utf-8", "surrogateescape") for path in mini_batch]
"""


def made(
    mill: Mill, source: str = READS, files: Iterable[str] = ABC, settings: str = ONE_EACH, more: str = ""
) -> Mill:
    """Make files that hold their names, the script, and a deployment of one file per mini-batch."""
    mill.inputs(files)
    mill.script(source)
    mill.deployment(settings, more)
    return mill


def check_kept(mill: Mill, ended: Ended, files: Iterable[str], failed: Iterable[str] = ()) -> None:
    """All files but the failed are in the predictions, in order; the failed are listed; verify agrees."""
    listed, failing = list(files), list(failed)
    scored = [name for name in listed if name not in failing]
    assert (ended.status, ended.view["status"]) == (0, "Completed"), ended.err
    assert ended.counts == (len(listed), len(scored), len(failing), 0)
    rows = "".join(f"{name}\n" for name in scored)
    assert mill.bytes() == rows.encode("utf-8", "surrogateescape")
    entries = mill.failures() if failing else []
    assert [entry["input"] for entry in entries] == failing
    assert mill.type("verify", "j").status == 0
    if failing:
        assert "failures.jsonl names" in ended.err
        assert "The full log is in " in ended.err


def check_refused(mill: Mill, ended: Ended, told: Iterable[str]) -> None:
    """Nothing was started, and the words hold all that they must."""
    assert (ended.status, ended.out) == (2, ""), ended.err
    assert [word for word in told if word not in ended.err] == []
    assert "Traceback" not in ended.err
    assert mill.calls() == []
