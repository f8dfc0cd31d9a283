"""The command that replays an item, as it is to be typed: any name, quoted for the shell."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

#: A line of the list of failures is read so far at most: it may name all files of a mini-batch.
_MOST_BYTES = 4 << 20
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]*")


def replay_command(job: str, item: str, *, mini_batch: bool = False) -> str:
    r"""Return the command that replays an item of a job.

    Parameters
    ----------
    job
        Name of the job.
    item
        Its path relative to the input folder; bytes that are not UTF-8 as surrogate escapes.
    mini_batch
        Whether all of its mini-batch is to be replayed.

    Returns
    -------
    str
        For bash, zsh and ksh: what is not plain text stands in ``$'…'``, as ``$'caf\xe9.txt'``.
    """
    name = f"./{item}" if item.startswith("-") else item
    return f"gristmill replay {job} {_quoted(name)}{' --mini-batch' if mini_batch else ''}"


def of_first_failure(job: str, failures: Path) -> str | None:
    """Return the command for the first entry of a list of failures; None where there is none."""
    try:
        with failures.open("rb") as file:
            line = json.loads(file.readline(_MOST_BYTES))
        if "inputs" in line:  # some of them have no result, and nobody knows which
            return replay_command(job, line["inputs"][0], mini_batch=len(line["inputs"]) > 1)
        return replay_command(job, line["input"], mini_batch=line["items"] > line.get("missing", 1))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _quoted(name: str) -> str:
    raw = os.fsencode(name)
    if _PLAIN.fullmatch(name) and raw == name.encode("utf-8", "replace"):
        return shlex.quote(name)
    kept = (chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}" for byte in raw)
    return f"$'{''.join(kept)}'"
