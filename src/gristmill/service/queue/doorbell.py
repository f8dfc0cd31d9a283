"""The doorbell of a home's runner: a socket at which a command rings when there is something new.

It carries nothing: what there is to do stands in the home. A socket's path may not be longer than 107 bytes,
and homes may lie deep: so it is named through a descriptor of its folder, by a path that is always short.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from gristmill.settings import Home

_NAME = "bell"


class Doorbell:
    """The runner's side."""

    def __init__(self, home: Home) -> None:
        """Hang it up, in place of one that was left behind; whoever calls holds the runner's lock.

        Raises
        ------
        OSError
            The file system of the home knows no sockets, or the home cannot be written.
        """
        self._home = home
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            with suppress(FileNotFoundError):
                (home.runner / _NAME).unlink()
            with _short_path(home) as path:
                self._socket.bind(path)
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return what can be waited for."""
        return self._socket.fileno()

    def answer(self) -> None:
        """Take in everybody who has rung."""
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(16)

    def take_down(self) -> None:
        """From now on nobody can ring."""
        with suppress(OSError):
            (self._home.runner / _NAME).unlink()
        self._socket.close()


def ring(home: Home) -> bool:
    """Ring at a home's runner.

    Returns
    -------
    bool
        Whether it has heard; False where there is none, or none that can hear.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as bell:
        try:
            with _short_path(home) as path:
                bell.sendto(b"!", path)
        except BlockingIOError:
            return True  # so many have rung that it is going to look
        except OSError:
            return False
    return True


@contextmanager
def _short_path(home: Home) -> Iterator[str]:
    folder = os.open(home.runner, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{_NAME}"
    finally:
        os.close(folder)
