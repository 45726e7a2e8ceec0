"""What the disk below the home does with what it is told to lock and to keep."""

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from holdfast import statefile
from holdfast.cli.checkups.finding import Finding, failure, warning, well
from holdfast.errors import HoldfastError
from holdfast.home import Home
from holdfast.statefile.owner import has_no_locks
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.system.this import SYSTEM

SWALLOWER = "eatmydata"
"""A library that makes every sync of a program do nothing; for tests and installers."""

PRELOADS = ("LD_PRELOAD", "DYLD_INSERT_LIBRARIES")


def locks(place: Home, *, ops: Ops = SYSTEM) -> Iterator[Finding]:
    """Look whether files of the home can be locked; where there are none yet, its folder stands for them."""
    if sys.platform == "win32":
        return
    path = place.supervisor_lock if place.supervisor_lock.exists() else place.root
    try:
        fd = ops.open(None, str(path), os.O_RDONLY)
    except OSError:
        return  # what cannot be opened is told by the look at the home
    try:
        ops.is_locked(fd)
    except OSError as error:
        yield _of_refusal(error)
    else:
        yield well("locks", "files can be locked")
    finally:
        ops.close(fd)


def _of_refusal(error: OSError) -> Finding:
    found = f"files cannot be locked: {error.strerror} ({errno.errorcode.get(error.errno or 0)})"
    if has_no_locks(error):
        advice = (
            "the supervisor needs them: put the home on a local disk, or mount this one with locks"
        )
    else:
        advice = "look at the system log"
    return failure("locks", found, advice)


def folder_sync(folder: Path, *, ops: Ops = SYSTEM) -> Iterator[Finding]:
    """Look whether a new name in a folder can be made to outlast a power cut."""
    if sys.platform == "win32":
        return
    try:
        opened = ops.open_folder(str(folder))
    except OSError:
        return
    try:
        kept = ops.sync_folder(opened)
    except OSError as error:
        yield failure(
            "folder sync",
            f"refused: {error.strerror}",
            "look at the system log; the disk may fail",
        )
        return
    finally:
        ops.close_folder(opened)
    if kept:
        yield well("folder sync", "what is written is there after a power cut")
    else:
        yield warning(
            "folder sync",
            "this file system knows none: a power cut may bring back the version before",
            "put the home on a local disk if that matters",
        )


def syncs(place: Home) -> Iterator[Finding]:
    """Look whether something swallows the syncs of this command or of the supervisor."""
    cheated = ["this command"] if swallows(os.environ, libraries(os.getpid())) else []
    try:
        supervisor = statefile.holder(place.supervisor_lock)
    except HoldfastError:
        supervisor = None
    if supervisor is not None and swallows({}, libraries(supervisor)):
        cheated.append("the supervisor")
    if cheated:
        yield failure(
            "syncs",
            f"{SWALLOWER} swallows every sync of {' and of '.join(cheated)}",
            "start it without LD_PRELOAD: a power cut would lose or cut state files",
        )


def swallows(environ: Mapping[str, str], loaded: Iterable[str]) -> bool:
    """Tell whether a program that has such an environment and such libraries loses its syncs."""
    named = (environ.get(name, "") for name in PRELOADS)
    return any(SWALLOWER in one for one in (*named, *loaded))


def libraries(pid: int) -> list[str]:
    """Return what a process has loaded, line by line; nothing where the platform does not tell."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="surrogateescape") as lines:
            return lines.readlines()
    except OSError:
        return []
