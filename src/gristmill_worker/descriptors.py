"""Descriptors of ours, out of the script's reach: scripts close ranges of low numbers, and count on them."""

import fcntl
import os

#: Descriptors of ours start here.
FIRST = 200


def out_of_reach(descriptor: int) -> int:
    """Move a descriptor to a high number that closes on exec, and return that; without any, keep it."""
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST)
    except OSError:
        os.set_inheritable(descriptor, False)
        return descriptor  # the script lowered the limit of its descriptors
    os.close(descriptor)
    return moved


def closed(descriptor: int) -> None:
    """Close a descriptor of ours, if the script has not done so before."""
    try:
        os.close(descriptor)
    except OSError:
        pass
