"""Between two jobs: whether this worker can go on with the next, what is put in order, what it is told.

What the script holds in its memory stays, by design: the model, its globals, threads that rest. Everything
that the next job could see of this one does not: files in the output folder and in the working folder, the
standard streams, the name of the job. Where that cannot be put in order, the worker ends with its job.
"""

import os
import shutil
import stat
import sys
from typing import Any, Dict, List, Set, Tuple

from gristmill_worker.logs import flush_streams, move_logs
from gristmill_worker.memory import forget_peak
from gristmill_worker.outbox import Outbox
from gristmill_worker.script import Script
from gristmill_worker.writes import PASSING, flush_libraries

#: So much may lie about in the working folder under the names that libraries give to what they need for a
#: while: they, or the script, may have remembered where.
MOST_BYTES = 64 << 20
MOST_FILES = 1000
_TRACKING = "MLFLOW_TRACKING_URI"
_FLUENT = "mlflow.tracking.fluent"


class Keeping:
    """Watches over what must be the same at the end of a job as it was when the script had been loaded."""

    def __init__(self, working_folder: str, tracking_store: str) -> None:
        """Look at nothing yet.

        Parameters
        ----------
        working_folder
            The private temporary folder of this process.
        tracking_store
            The address of MLflow's store in the job folder.
        """
        self._working = working_folder
        self._tracking_store = tracking_store
        self._cwd = ""
        self._of_init: Set[str] = set()
        self._streams: List[Tuple[int, int]] = []
        self.never = ""
        """Why this worker can never be kept, whatever it does; empty where nothing is known."""

    def begin(self, script: Script, outbox: Outbox) -> None:
        """Remember how things are after ``init()``."""
        self._cwd = _cwd()
        self._of_init = set(os.listdir(self._working))
        self._streams = _streams()
        self.never = _never(script, outbox)

    def why_not(self, outbox: Outbox) -> str:
        """Return why this worker cannot go on with another job; empty where it can. Nothing is changed but
        what the end of a process would end, too: runs of MLflow.
        """
        flush_streams()
        flush_libraries()
        if self.never:
            return self.never
        if outbox.has_open():
            return "it keeps a file in the output folder open"
        if outbox.has_many_folders():
            return "it has made very many folders in the output folder"
        if _cwd() != self._cwd:
            return "it has changed its current folder"
        if _streams() != self._streams:
            return "it has redirected its standard output or error"
        if not _end_tracking():
            return "MLflow is in the middle of an experiment that the job's own store has"
        return self._what_lies_about()

    def tidy(self, outbox: Outbox) -> None:
        """Remove what only the job that is over may find.

        Raises
        ------
        OSError
            Something cannot be removed.
        """
        outbox.clear()
        for name in os.listdir(self._working):
            if name not in self._of_init and not name.startswith(PASSING):
                _remove(os.path.join(self._working, name))

    def move(self, terms: Dict[str, Any]) -> None:
        """Take the next job's logs and names.

        Raises
        ------
        OSError
            A log cannot be opened.
        """
        move_logs(terms["stdout"], terms["stderr"], terms["log"])
        self._streams = _streams()
        os.environ.update(terms["variables"])
        if os.environ.get(_TRACKING) == self._tracking_store:
            os.environ[_TRACKING] = terms["tracking_store"]
        self._tracking_store = terms["tracking_store"]
        forget_peak()

    def _what_lies_about(self) -> str:
        """Say whether too much is left in the working folder that `tidy` leaves alone."""
        files = size = 0
        for name in os.listdir(self._working):
            if name in self._of_init or not name.startswith(PASSING):
                continue
            for here, _, names in os.walk(os.path.join(self._working, name)):
                files += len(names)
                size += sum(_size(os.path.join(here, one)) for one in names)
            size += _size(os.path.join(self._working, name))
            if files > MOST_FILES or size > MOST_BYTES:
                return "it has left many temporary files in its working folder"
        return ""


def _never(script: Script, outbox: Outbox) -> str:
    if script.shutdown is not None:
        return "%s has a shutdown(), which is called when a job ends" % script.file_name
    if outbox.has_files_of_init():
        return "init() of %s writes into the output folder, once for each worker" % script.file_name
    if _is_tracking():
        return "init() of %s begins a run of MLflow, which belongs to one job" % script.file_name
    return ""


def _streams() -> List[Tuple[int, int]]:
    """Return which files standard output and error are; (0, 0) for one that is closed."""
    found = []
    for number in (1, 2):
        try:
            status = os.fstat(number)
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append((0, 0))
    return found


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # it was removed


def _is_tracking() -> bool:
    """Say whether MLflow has a run or an experiment of the script's, as far as it is loaded at all."""
    fluent = sys.modules.get(_FLUENT)
    if fluent is None:
        return False
    try:
        return fluent.active_run() is not None or getattr(fluent, "_active_experiment_id", None) is not None
    except Exception:  # a release that we do not know: nobody can tell
        return True


def _end_tracking() -> bool:
    """End the runs that MLflow would end with the process; say whether nothing else of the job is left."""
    fluent = sys.modules.get(_FLUENT)
    if fluent is None:
        return True
    try:
        while fluent.active_run() is not None:
            fluent.end_run()
    except Exception:
        return False
    return not _is_tracking()


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _size(path: str) -> int:
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
