"""What a worker's frames say about mini-batches, as events; `gristmill_worker.wire` is their form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gristmill.engine.contract import Failed, Farewell, Reason, Scored, Span


def scored_in(fields: Sequence[Any], part: int, worker: int) -> Scored:
    """Return the outcome that a record tells of.

    Parameters
    ----------
    fields
        Those of `gristmill_worker.wire.RECORD_STRUCT`.
    part
        The part that the worker writes.
    worker
        The worker's slot.
    """
    first, batches, first_item, items, attempt, header, total, succeeded = fields[:8]
    offset, length, crc, files, seconds, attached, attached_crc, held = fields[8:]
    return Scored(
        Span(first, batches, first_item, items),
        attempt,
        total,
        succeeded,
        part,
        offset,
        length,
        crc,
        header,
        files,
        seconds,
        worker,
        attached,
        attached_crc,
        held,
    )


def failed_in(message: Mapping[str, Any], worker: int, log: str) -> Failed:
    """Return the failed try that a ``FAILED`` message tells of.

    Parameters
    ----------
    message
        The message.
    worker
        The worker's slot.
    log
        The worker's error log, with the position at which it tells of this try.
    """
    return Failed(
        Span(message["first"], 1, message["first_item"], message["items"]),
        message["attempt"],
        Reason(message["reason"]),
        message["message"],
        message["traceback"],
        message["seconds"],
        worker,
        log,
        bool(message["leaving"]),
        message["opened"],
        tuple(message["blamed"]),
        cannot_write=message["reason"] == Reason.INFRASTRUCTURE.value,
        is_staging=message["is_staging"],
    )


def farewell_in(message: Mapping[str, Any], part: int, worker: int, peak_bytes: int) -> Farewell:
    """Return what a ``BYE`` message tells of.

    Parameters
    ----------
    message
        The message.
    part
        The part that the worker writes.
    worker
        The worker's slot.
    peak_bytes
        The most memory that it had.
    """
    return Farewell(
        worker,
        part,
        message["files"],
        message["offset"],
        message["attached"],
        message["attached_crc"],
        peak_bytes,
    )
