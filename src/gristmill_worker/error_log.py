"""The log of what the script raised, one for each worker and job."""

import sys
import time


class ErrorLog:
    """Appends to one file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def note(self, text: str) -> int:
        """Append and return where; -1 where it cannot be written: then it stands on standard error."""
        try:
            with open(self._path, "a", encoding="utf-8", errors="backslashreplace") as log:
                position = log.tell()
                log.write("%s %s\n" % (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), text))
            return position
        except OSError:
            sys.stderr.write(text)
            return -1
