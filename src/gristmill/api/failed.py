"""Items that failed, as values: what stands in a job's list of failures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gristmill.errors import JobStateError


@dataclass(frozen=True, kw_only=True)
class FailedItem:
    """An item without a result, or several of a mini-batch of which nobody can know which they are."""

    input: str | None
    """The input, relative to the input folder; None where only ``candidates`` are known. A name that is not
    UTF-8 has its bytes as surrogates, which ``os.fsencode`` turns back."""
    candidates: tuple[str, ...]
    """The inputs of which ``missing`` have no result: ``input`` alone, or all of the mini-batch."""
    missing: int
    """How many items this stands for."""
    reason: str
    """``exception``, ``bad_return``, ``timeout``, ``memory``, ``worker_died``, ``infrastructure`` or
    ``missing_result``."""
    message: str
    """What happened, in one sentence or the exception's own words."""
    tries: int
    """How often it was tried."""
    traceback: str
    """The script's own traceback of the last try, or its last stack; empty where there is none."""
    activity: str
    """Of a timeout ``computing`` or ``waiting``: what it was doing when its time was up; else empty."""
    mini_batch: int
    """The number of its mini-batch, from 0."""
    worker: int
    """The worker that tried it last."""
    log: str
    """The log that says more, below the job folder, with the position in it; empty where there is none."""
    seconds: float
    """Time in ``run()`` of the last try."""
    at: str
    """When the last try ended, as ISO 8601 text in UTC; empty where it is not recorded."""


def read_failures(path: Path) -> list[FailedItem]:
    """Read a job's list of failures.

    Parameters
    ----------
    path
        The file ``failures.jsonl`` of a job.

    Returns
    -------
    list of FailedItem
        In the order of the input; ``sum(one.missing for one in ...)`` items in all.

    Raises
    ------
    JobStateError
        It cannot be read, or was edited.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return list(_items(map(json.loads, file)))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise JobStateError(
            f"{path} cannot be read as a list of failures: {type(error).__name__}: {error}; resuming the job "
            "writes it anew"
        ) from error


def _items(lines: Iterator[Mapping[str, Any]]) -> Iterator[FailedItem]:
    traceback = ""
    for line in lines:
        traceback = traceback if "same_as" in line else line["traceback"]
        names = (line["input"],) if "input" in line else tuple(line["inputs"])
        yield FailedItem(
            input=line.get("input", names[0] if len(names) == 1 else None),
            candidates=names,
            missing=line.get("missing", 1),
            reason=line["reason"],
            message=line["message"],
            tries=line["tries"],
            traceback=traceback,
            activity=line.get("activity", ""),
            mini_batch=line["mini_batch"],
            worker=line["worker"],
            log=line["log"],
            seconds=line["seconds"],
            at=line["at"],
        )
