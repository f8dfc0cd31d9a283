"""The memory of this process: how much it has had at most, and how much it may have."""

import resource
import sys
from typing import Optional

_STATUS = "/proc/self/status"
_LABEL = "VmHWM:"
_OF_FILES = "RssFile:"
_FORGET = "/proc/self/clear_refs"


def peak_bytes() -> int:
    """Return the most memory that this process has had, in bytes, since its program began.

    What `getrusage` says may be that of the process that started it.
    """
    told = _told(_LABEL)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 if told is None else told


def private_peak_bytes() -> int:
    """Return the most memory that this process has had since `forget_peak`, in bytes, without what are pages
    of files: a mapped model is shared by all workers, and given up on demand.
    """
    return max(0, peak_bytes() - (_told(_OF_FILES) or 0))


def private_bytes() -> int:
    """Return what this process holds now, in bytes, likewise without what are pages of files."""
    return max(0, (_told("VmRSS:") or 0) - (_told(_OF_FILES) or 0))


def forget_peak() -> None:
    """Let the peak begin anew, at what is held now; where the kernel does not do that, it stays."""
    try:
        with open(_FORGET, "w") as file:
            file.write("5")
    except OSError:
        pass


def _told(label: str) -> Optional[int]:
    """Return what the kernel says of this process, in bytes; None where it does not tell."""
    try:
        with open(_STATUS) as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith(label)), None)
    except OSError:
        return None


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
