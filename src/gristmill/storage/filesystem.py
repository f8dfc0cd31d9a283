"""What kind of file system a folder lies on, from the kernel's own table."""

from __future__ import annotations

import os
from pathlib import Path

_NETWORK_TYPES = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "glusterfs",
        "afs",
        "9p",
        "fuse.sshfs",
        "fuse.s3fs",
        "fuse.gcsfuse",
        "fuse.blobfuse",
        "fuse.blobfuse2",
        "fuse.rclone",
        "fuse.glusterfs",
        "fuse.ceph",
        "fuse.juicefs",
    }
)


def is_network(folder: Path, table: Path = Path("/proc/self/mountinfo")) -> bool:
    """Say whether a folder lies on a network file system."""
    return file_system_type(folder, table) in _NETWORK_TYPES


def file_system_type(folder: Path, table: Path = Path("/proc/self/mountinfo")) -> str:
    """Return the type of the file system that a folder lies on, such as ``ext4``; empty where it is not
    known.

    The folder need not exist: its nearest existing parent decides.
    """
    place = os.path.realpath(folder)
    best, found = -1, ""
    try:
        lines = table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:
        before, _, after = line.partition(" - ")
        mount = before.split()[4].replace("\\040", " ")
        if _lies_below(place, mount) and len(mount) >= best:
            best, found = len(mount), after.split()[0]
    return found


def _lies_below(place: str, mount: str) -> bool:
    return mount == "/" or place == mount or place.startswith(mount + "/")
