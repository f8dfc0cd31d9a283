"""How much memory this process has had at most."""

import resource

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
