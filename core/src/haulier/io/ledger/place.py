"""Where a ledger may stand: not on a network file system, whose locks and shared memory do not reach other hosts.

And whether it still stands there: a file that was taken away goes on to be written, and is gone at the end.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from haulier.errors import LedgerError

__all__ = ["FileInPlace", "check_place", "file_system_of"]

MOUNTS = Path("/proc/self/mounts")
# https://www.sqlite.org/wal.html: "WAL does not work over a network filesystem."
_NETWORK = frozenset(
    [
        *("afs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.cephfs"),
        *("fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.rclone", "fuse.s3fs"),
        *("fuse.sshfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4"),
        *("smb3", "smbfs"),
    ]
)
_OCTAL = re.compile(r"\\([0-7]{3})")


def check_place(folder: Path) -> None:
    """Refuse a folder on a network file system; LedgerError names it. Where mounts cannot be told, all is allowed."""
    try:
        mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return  # no Linux
    kind = file_system_of(folder.resolve(), mounts)
    if kind in _NETWORK:
        raise LedgerError(
            f"{folder} is on a network file system ({kind}), where a ledger would not survive a crash; "
            "choose a folder on a local disk with --state"
        )


class FileInPlace:
    """A file as it stands at a path now, to be told from another one that takes its place."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._found = self._path.stat()

    def check(self) -> None:
        """Pass where it still stands there; LedgerError where it was taken away or another is in its place."""
        try:
            gone = not os.path.samestat(self._found, self._path.stat())
        except OSError:
            gone = True
        if gone:
            raise LedgerError(
                f"the ledger {self._path} was taken away while it was written, so nothing more is sent: put it back "
                "before you run again; without it, everything goes out again"
            )


def file_system_of(path: Path, mounts: str) -> str:
    """The type of the file system a path is on, by a mount table as in /proc/mounts; empty where it does not tell."""
    found, depth = "", -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_OCTAL.sub(lambda octal: chr(int(octal[1], 8)), fields[1]))
        # A later mount at the same place hides the earlier one.
        if len(point.parts) >= depth and path.is_relative_to(point):
            found, depth = fields[2], len(point.parts)
    return found
