"""Our end of the two pipes of a worker: frames in, frames out, and never a call that blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gristmill_worker import wire

_READ_BYTES = 1 << 16


class Channel:
    """What a full pipe does not take is kept and written later."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        """Take two descriptors that do not block."""
        self.incoming = incoming
        self.outgoing = outgoing
        self.has_hung_up = False
        """Whether the worker has closed its end, and will send no more; it may live on for a while."""
        self._received = bytearray()
        self._unsent = bytearray()

    @property
    def wants_to_write(self) -> bool:
        """Say whether the pipe was full and something is left to be written."""
        return bool(self._unsent)

    def frames(self, *, is_heard: bool = True) -> Iterator[tuple[int, bytes]]:
        """Yield the frames that are there, as (kind, payload); with nobody to hear them, drop them."""
        received = self._received
        while True:
            try:
                chunk = os.read(self.incoming, _READ_BYTES)
            except BlockingIOError:
                break
            if not chunk:
                self.has_hung_up = True
                break
            received += chunk
            if len(chunk) < _READ_BYTES:
                break
        if not is_heard:
            received.clear()
        header, position = wire.FRAME, 0
        while len(received) - position >= header.size:
            length, kind = header.unpack_from(received, position)
            end = position + header.size + length
            if len(received) < end:
                break
            yield kind, bytes(received[position + header.size : end])
            position = end
        del received[:position]

    def send(self, data: bytes = b"") -> None:
        """Write as much as the pipe takes, of what was kept first; keep the rest."""
        unsent = self._unsent
        unsent += data
        while unsent:
            try:
                written = os.write(self.outgoing, unsent)
            except BlockingIOError:
                return
            except BrokenPipeError:
                unsent.clear()  # it is dying; its process descriptor will say so
                return
            del unsent[:written]

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self.incoming)
        os.close(self.outgoing)
