"""On which file system a folder lies; Linux only."""

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MOUNTS = "/proc/self/mountinfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mounted file system: where, of what kind, with which options of its own."""

    point: str
    kind: str
    options: frozenset[str]


def mount_of(folder: Path) -> Mount | None:
    """Return the mount that an existing folder lies on; None where the platform does not tell."""
    if sys.platform != "linux":
        return None
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as lines:
            return find(lines, os.path.realpath(folder))
    except OSError:
        return None


def find(lines: Iterable[str], path: str) -> Mount | None:
    """Return the deepest mount above a real path; of two at one point, the later one covers the other."""
    best = None
    for line in lines:
        found = _parsed(line)
        if _is_above(found.point, path) and (best is None or len(found.point) >= len(best.point)):
            best = found
    return best


def _parsed(line: str) -> Mount:
    """Read one line of mountinfo, see proc_pid_mountinfo(5)."""
    own, _, file_system = line.rstrip("\n").partition(" - ")
    point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), own.split(" ")[4])
    kind, _, *options = file_system.split(" ")
    return Mount(point=point, kind=kind, options=frozenset(",".join(options).split(",")))


def _is_above(point: str, path: str) -> bool:
    return point == "/" or path == point or path.startswith(f"{point}/")
