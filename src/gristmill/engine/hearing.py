"""What a worker tells that serves nobody: its frames, put together and read as they come."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from gristmill_worker.observed import OBSERVED
from gristmill_worker.wire import FRAME

_READ_BYTES = 65536

Observation = Mapping[str, Any]
"""An event in the words of `gristmill_worker.rehearsal` or `gristmill_worker.foreground`."""


class Hearing:
    """Our end of such a worker's channel."""

    def __init__(self, incoming: int, heard: Callable[[Observation], None]) -> None:
        """Listen to a descriptor that does not block; ``heard`` is told each observation."""
        self._incoming = incoming
        self._heard = heard
        self._received = bytearray()

    def read(self) -> bool:
        """Take what has come; return whether more may come."""
        while True:
            try:
                chunk = os.read(self._incoming, _READ_BYTES)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self._received += chunk
            self._take_frames()

    def _take_frames(self) -> None:
        while len(self._received) >= FRAME.size:
            length, kind = FRAME.unpack_from(self._received)
            end = FRAME.size + length
            if len(self._received) < end:
                return
            payload = bytes(self._received[FRAME.size : end])
            del self._received[:end]
            if kind == OBSERVED:
                self._heard(json.loads(payload))
