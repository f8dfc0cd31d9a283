"""What is told of a script that is tried out or replayed, in the form that both entries share.

Frames of the kind `OBSERVED` go to the coordinator, JSON with an ``event``; `rehearsal`, `foreground` and
`trial` say which events there are.
"""

import os
import shutil
from typing import Any, Dict, List, Set, Tuple

from gristmill_worker.encoded import NOTICES, Encoded

OBSERVED = 32

_ROWS_SHOWN = 5
_ROW_CHARACTERS = 300


def preview(result: Any, encoded: Encoded, script: str, outbox: str) -> Dict[str, Any]:
    """Return what ``run()`` gave: ``results``, ``kind`` (its type), ``notices``, ``header``, ``rows`` (some,
    as they would be written), ``bytes`` (of all), ``left`` ([name, size] in the output folder).
    """
    return {
        "results": encoded.results,
        "kind": type(result).__name__,
        "notices": [[key, NOTICES[key].format(script=script)] for key in encoded.notices],
        "header": encoded.header,
        "rows": [in_short(line) for line in encoded.data.split(b"\n", _ROWS_SHOWN)[:_ROWS_SHOWN] if line],
        "bytes": len(encoded.data),
        "left": below(outbox),
    }


def in_short(line: bytes) -> str:
    """Return a line as text, cut where it is long."""
    text = line.decode("utf-8", "surrogateescape")
    return text if len(text) <= _ROW_CHARACTERS else text[:_ROW_CHARACTERS] + "…"


def below(folder: str) -> List[Tuple[str, int]]:
    """Return the files below a folder and their sizes in bytes."""
    found = []
    for here, _, files in os.walk(folder):
        for name in sorted(files):
            path = os.path.join(here, name)
            found.append((os.path.relpath(path, folder), os.lstat(path).st_size))
    return found


def emptied(folder: str) -> None:
    """Empty the output folder as between mini-batches; what is open in this process stays."""
    mine = _open_files()
    for name, _ in below(folder):
        path = os.path.join(folder, name)
        if os.path.realpath(path) not in mine:
            os.unlink(path)
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        inner = os.path.join(folder, name)
        if os.path.isdir(inner) and not below(inner):
            shutil.rmtree(inner, ignore_errors=True)


def _open_files() -> Set[str]:
    found: Set[str] = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink("/proc/self/fd/" + name))
        except OSError:
            continue  # the descriptor of this very listing
    return found
