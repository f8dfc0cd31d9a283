"""The worker's end of the two pipes: frames in, frames out, out of the script's reach."""

import json
import os
from typing import Any, List, Tuple

from gristmill_worker import wire
from gristmill_worker.descriptors import out_of_reach

_READ_BYTES = 65536


class ChannelLost(Exception):
    """The coordinator is gone, or the script closed our descriptors."""


class Channel:
    """Blocking reads and writes of frames; the coordinator's side never blocks."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._in = out_of_reach(incoming)
        self._out = out_of_reach(outgoing)
        self._buffer = b""

    def read(self) -> Tuple[int, bytes]:
        """Return the next frame as (kind, payload), waiting for it.

        Raises
        ------
        ChannelLost
            The other end is closed.
        """
        header = wire.FRAME
        while True:
            buffer = self._buffer
            if len(buffer) >= header.size:
                length, kind = header.unpack_from(buffer)
                end = header.size + length
                if len(buffer) >= end:
                    self._buffer = buffer[end:]
                    return kind, buffer[header.size : end]
            try:
                more = os.read(self._in, _READ_BYTES)
            except OSError as error:
                raise ChannelLost("reading from the coordinator failed: %s" % error) from error
            if not more:
                raise ChannelLost("the coordinator closed the channel")
            self._buffer = buffer + more

    def write(self, data: bytes) -> None:
        """Write all of ``data``.

        Raises
        ------
        ChannelLost
            The other end is closed, or the script closed our descriptor.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._out, view) :]
        except OSError as error:
            raise ChannelLost("writing to the coordinator failed: %s" % error) from error

    def tell(self, kind: int, message: Any) -> None:
        """Write one JSON frame."""
        text = json.dumps(message, ensure_ascii=True, default=str)
        self.write(wire.frame(kind, text.encode("ascii")))

    def close_in_child(self) -> None:
        """Close both ends; for a forked child of the script, which must not hold the channel."""
        for descriptor in (self._in, self._out):
            try:
                os.close(descriptor)
            except OSError:
                continue  # the script closed it before


def tasks_of(payload: bytes) -> List[Tuple[int, int, int, int, int]]:
    """Return the tasks of a TASK frame."""
    return list(wire.TASK_STRUCT.iter_unpack(payload))
