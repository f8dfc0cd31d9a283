"""A checkpoint: what the beginning of a journal adds up to, so that a resumed job need not add it up again.

A script that works for some milliseconds leaves a record for each mini-batch, and a million of them take
longer to be taken in than anybody waits for. The journal stays the only truth: a checkpoint says up to which
byte it goes and what CRC-32 these bytes have. One that is missing, damaged, or of another form does not
count, nor one of whose bytes a single one has changed; then everything is read as if it were not there. For
the same reason nobody waits until it is on the disk.

It is written only where the journal was marked and nothing has been published, which keeps it small: no row
is in doubt then, and none is anywhere but in its part.
"""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from gristmill.engine.contract import Farewell, Scored, Span
from gristmill.run.divided import DividedBatches
from gristmill.run.intervals import Intervals
from gristmill.run.journal import crc_of_beginning
from gristmill.run.ledger import Ledger
from gristmill.run.records import FailedTry, PlanComplete
from gristmill.run.setbacks import Setbacks
from gristmill.run.tally import Tally
from gristmill.spec.stop_rules import FailureClass

#: Raised whenever what is kept, or what it means, changes: one of another form does not count.
FORM = 2
#: A checkpoint is written when the journal has grown by this much, which is taken in within a moment.
EVERY_BYTES = 2 << 20
#: ... and by so many times the size of the last one, so that writing them never costs much.
_TIMES_ITS_SIZE = 4


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state of a job after the first bytes of its journal."""

    ledger: Ledger
    position: int
    """How many bytes these are; a group ends there."""
    crc: int
    """CRC-32 of them."""

    @staticmethod
    def read(path: Path, journal: Path) -> Checkpoint | None:
        """Return what was kept; None where that does not count.

        Raises
        ------
        JournalError
            The journal cannot be read.
        """
        try:
            head, _, text = path.read_bytes().partition(b"\n")
            if head != _head(text):
                return None
            values = json.loads(text)
            position, crc = int(values["position"]), int(values["crc"])
            if crc_of_beginning(journal, position) != crc:
                return None
            ledger = _value_of(values["ledger"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        return Checkpoint(ledger=ledger, position=position, crc=crc)


class Checkpoints:
    """Keeps the latest checkpoint of a running job."""

    def __init__(
        self, path: Path, journal: Path, latest: Checkpoint | None, *, every_bytes: int = EVERY_BYTES
    ) -> None:
        self._path = path
        self._journal = journal
        self._position, self._crc = (latest.position, latest.crc) if latest is not None else (0, 0)
        self._every_bytes = self._pause_bytes = every_bytes

    def keep(self, ledger: Ledger, position: int) -> None:
        """Keep the state after the first ``position`` bytes of the journal, if it is worth it by now.

        To be called when the journal was just marked, with all that is in it and nothing else.

        Raises
        ------
        JournalError
            The journal cannot be read.
        """
        is_published = ledger.published is not None or ledger.earlier is not None
        if is_published or position - self._position < self._pause_bytes:
            return
        crc = crc_of_beginning(self._journal, position, self._position, self._crc)
        if crc is None:
            return  # somebody has removed the journal; whoever writes to it next will say so
        self._position, self._crc = position, crc
        values = {"position": position, "crc": crc, "ledger": _form_of(ledger)}
        text = json.dumps(values, separators=(",", ":")).encode("ascii")
        self._pause_bytes = max(self._every_bytes, _TIMES_ITS_SIZE * len(text))
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        with suppress(OSError):  # without room for it, the journal is there all the same
            temporary.write_bytes(_head(text) + b"\n" + text)
            os.replace(temporary, self._path)


def _head(text: bytes) -> bytes:
    """Return the first line: whose checkpoint it is, and the CRC-32 of the rest."""
    return b"gristmill checkpoint %d %08x" % (FORM, zlib.crc32(text))


_TUPLES: dict[str, Any] = {kind.__name__: kind for kind in (Span, Scored, Farewell, FailedTry, PlanComplete)}
_OBJECTS: dict[str, Any] = {kind.__name__: kind for kind in (Ledger, DividedBatches, Setbacks, Tally)}
_GROUPS: dict[str, Any] = {kind.__name__: kind for kind in (list, tuple, set)}


def _form_of(value: Any) -> Any:
    """Return a value as JSON can hold it: what is not plain under the name of its kind.

    Raises
    ------
    TypeError
        It is of a kind that is not foreseen here.
    """
    kind = type(value).__name__
    if isinstance(value, FailureClass):
        return {kind: value.value}
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Intervals):
        return {kind: [list(interval) for interval in value]}
    if isinstance(value, dict):
        return {kind: [[_form_of(key), _form_of(one)] for key, one in value.items()]}
    if kind in _GROUPS or kind in _TUPLES:
        return {kind: [_form_of(one) for one in value]}
    if kind in _OBJECTS:
        return {kind: {name: _form_of(one) for name, one in vars(value).items()}}
    raise TypeError(f"a {kind} has no form in a checkpoint")


def _value_of(form: Any) -> Any:
    """Return the value whose form this is; what is not a form raises one of several errors."""
    if not isinstance(form, dict):
        return form
    ((kind, content),) = form.items()
    if kind == FailureClass.__name__:
        return FailureClass(content)
    if kind == Intervals.__name__:
        intervals = Intervals()
        for start, end in content:
            intervals.add(start, end)
        return intervals
    if kind == dict.__name__:
        return {_value_of(key): _value_of(one) for key, one in content}
    if kind in _GROUPS:
        return _GROUPS[kind](map(_value_of, content))
    if kind in _TUPLES:
        return _TUPLES[kind]._make(map(_value_of, content))
    made = _OBJECTS[kind]()
    if vars(made).keys() != content.keys():
        raise ValueError(f"a {kind} has other attributes now")
    vars(made).update({name: _value_of(one) for name, one in content.items()})
    return made
