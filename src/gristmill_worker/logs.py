"""Where what the script prints and logs goes: to files that can be moved when the worker goes on to another
job, and that never fail a line.
"""

import logging
import os
import sys
from io import TextIOWrapper
from typing import Any


class _Printed(TextIOWrapper):
    """What the script prints: every line is in the log at once, and neither a character nor a full disk
    fails.
    """

    @classmethod
    def over(cls, stream: Any) -> "_Printed":
        """Take the place of a standard stream."""
        return cls(stream.detach(), encoding="utf-8", errors="backslashreplace", line_buffering=True)

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            return len(text)  # the disk of the logs is full: that costs no result

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            pass


class _Log(logging.FileHandler):
    """A log in which no character can fail; the parameter for it came with Python 3.9."""

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding="utf-8", errors="backslashreplace")

    def move(self, path: str) -> None:
        """Go on in another file, which is made with the next line."""
        self.acquire()
        try:
            stream, self.stream = self.stream, None
            self.baseFilename = os.path.abspath(path)
            if stream is not None:
                stream.close()
        finally:
            self.release()


def set_up_streams() -> None:
    """Every line that the script prints is in the log at once, and no character can fail."""
    for name in ("stdout", "stderr"):
        printed = _Printed.over(getattr(sys, name))
        setattr(sys, name, printed)
        setattr(sys, "__%s__" % name, printed)


def set_up_logging(path: str, level: str) -> None:
    """Send the root logger to a file; without a path, to standard error."""
    handler = _Log(path, encoding="utf-8", delay=True) if path else logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())


def move_logs(stdout: str, stderr: str, log: str) -> None:
    """Let the standard streams and the root logger go on in other files.

    Raises
    ------
    OSError
        A file cannot be opened.
    """
    flush_streams()
    for number, path in ((1, stdout), (2, stderr)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        os.dup2(file, number)
        os.close(file)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Log):
            handler.move(log)


def flush_streams() -> None:
    """Write what the standard streams keep back; whatever the script has put in their place."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # it is closed, or a class of the script's own with ideas of its own
            continue
