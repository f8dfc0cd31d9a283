"""The folder behind ``AZUREML_BI_OUTPUT_PATH``: private to the worker, emptied after every mini-batch.

After a successful ``run`` what lies there is moved aside under the mini-batch's number, on the same
file system; after a failed one it is removed. So a try that failed leaves nothing behind, and a retry
duplicates nothing. The coordinator moves what was set aside to the output once its outcome is recorded.
"""

import os
import shutil
import time

#: A folder's mtime has the grain of the kernel's tick; within it a change cannot be seen.
_TICK_NS = 20_000_000


class Outbox:
    """The private output folder of one worker."""

    def __init__(self, folder: str, aside: str) -> None:
        self.folder = folder
        self._aside = aside
        os.makedirs(folder, exist_ok=True)
        self._seen_ns = 0
        """The folder's mtime when it was last seen empty, once later changes are sure to give it another."""

    def is_touched(self) -> bool:
        """Say whether anything may lie in the folder (one ``stat`` in the usual case)."""
        try:
            changed_ns = os.stat(self.folder).st_mtime_ns
            if changed_ns == self._seen_ns:
                return False
            now_ns = time.time_ns()
            if os.listdir(self.folder):
                return True
        except OSError:
            return True
        self._seen_ns = changed_ns if now_ns - changed_ns > _TICK_NS else 0
        return False

    def set_aside(self, first: int, first_item: int, attempt: int) -> int:
        """Move everything to the mini-batch's own folder and return the number of entries moved."""
        entries = self._entries()
        if entries:
            target = os.path.join(self._aside, "%d-%d-%d" % (first, first_item, attempt))
            os.makedirs(target, exist_ok=True)
            for name in entries:
                os.rename(os.path.join(self.folder, name), os.path.join(target, name))
        self._seen_ns = 0
        return len(entries)

    def empty(self) -> None:
        """Remove everything that a failed try left."""
        for name in self._entries():
            path = os.path.join(self.folder, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)
        self._seen_ns = 0

    def _entries(self) -> "list[str]":
        os.makedirs(self.folder, exist_ok=True)  # a script may have removed it
        return sorted(os.listdir(self.folder))
