"""The memory of this process: how much it has had at most, and how much it may have."""

import resource
import sys
from typing import Optional

_STATUS = "/proc/self/status"
_LABEL = "VmHWM:"


def peak_bytes() -> int:
    """Return the most memory that this process has had, in bytes, since its program began.

    What `getrusage` says may be that of the process that started it.
    """
    try:
        with open(_STATUS) as status:
            for line in status:
                if line.startswith(_LABEL):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass  # no /proc here
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def limit_data(limit: Optional[int]) -> None:
    """Let no allocation take the data of this process, or of one that it starts, above a limit in bytes.

    A lower limit that is there already stays, and so does the hard one: a script may know better.
    """
    if limit is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    lowest = min([limit] + [one for one in (soft, hard) if one != resource.RLIM_INFINITY])
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (lowest, hard))
    except (OSError, ValueError) as error:
        sys.stderr.write("gristmill worker: no limit for its data (%s); the watchdog is there\n" % error)


def data_limit() -> Optional[int]:
    """Return what limits the data of this process, in bytes; None where nothing does."""
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return None if soft == resource.RLIM_INFINITY else soft
