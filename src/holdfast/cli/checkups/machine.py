"""What this machine offers: Python, kernel, limits, a clock, other programs."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.cli.checkups.finding import Finding, failure, warning, well
from holdfast.machine.process import kernel

OLDEST_PYTHON = (3, 11)

FEW_FILES = 4096
"""A usual limit on open files; a lower one is a decision of somebody and may bite."""

FILES_A_SERVICE = 3
FILES_OF_ITS_OWN = 320
"""Open files of a supervisor: a pidfd and up to two pipes a service, and for itself open logs, sockets and the like."""

FIRST_RELEASE = 1_767_225_600.0
"""2026-01-01: a clock that shows less was never set."""

CLOCK_MAY_DIFFER_S = 60.0

_PR_GET_CHILD_SUBREAPER = 37


def python(version: tuple[int, int]) -> Iterator[Finding]:
    """Look at the interpreter."""
    found = f"{platform.python_implementation()} {platform.python_version()}"
    if version >= OLDEST_PYTHON:
        yield well("python", f"{found} at {sys.executable}")
    else:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        yield failure("python", found, f"install Python {wanted} or newer")


def system(name: str) -> Iterator[Finding]:
    """Look at the operating system, by the name `sys.platform` gives it."""
    found = f"{platform.system()} {platform.release()} on {platform.machine()}"
    if name == "linux":
        yield well("platform", found)
    else:
        yield warning("platform", found, "this platform is supported by design, not by trial")


def features() -> Iterator[Finding]:
    """Look for what the kernel offers to see deaths, prove identities and keep output."""
    if sys.platform != "linux":
        return
    yield from _pidfds()
    if hasattr(os, "splice"):
        yield well("splice", "output goes from pipe to log inside the kernel")
    else:
        advice = "use a Python built on glibc 2.5 or musl 1.1.5 or newer"
        yield failure("splice", "this Python has no os.splice", advice)
    if _knows_subreapers():
        yield well("subreaper", "orphans come to the supervisor")
    else:
        advice = "use Linux 3.4 or newer, and allow prctl in the sandbox"
        yield warning("subreaper", "orphans of a service go to init", advice)


def _pidfds() -> Iterator[Finding]:
    if sys.platform != "linux":
        return
    try:
        with _ended_child() as (own, ended):
            inodes = os.fstat(own).st_ino, os.fstat(ended).st_ino
            status = kernel.exit_status_of(ended)
    except OSError as error:
        advice = "use Linux 5.3 or newer, and allow pidfd_open in the sandbox"
        yield failure("pidfd", f"deaths cannot be seen: {error.strerror}", advice)
        return
    yield well("pidfd", "deaths are seen at once")
    if inodes[0] != inodes[1]:
        yield well("pidfd inode", "identities are proved by the kernel")
    else:
        advice = "harmless; Linux 6.9 or newer proves more"
        yield warning("pidfd inode", "identities are proved by start times", advice)
    if status == 0:
        yield well("exit of strangers", "exit codes survive the supervisor")
    else:
        advice = "harmless; Linux 6.15 or newer tells more"
        yield warning("exit of strangers", "some exits will be unknown", advice)


@contextmanager
def _ended_child() -> Iterator[tuple[int, int]]:
    """Yield a pidfd of this process and one of a child that ended with 0 and was reaped."""
    if sys.platform != "linux":
        return
    own = os.pidfd_open(os.getpid())
    try:
        child = os.posix_spawn(
            sys.executable, [sys.executable, "-I", "-S", "-c", ""], dict(os.environ)
        )
        try:
            ended = os.pidfd_open(child)
        finally:
            os.waitpid(child, 0)
        try:
            yield own, ended
        finally:
            os.close(ended)
    finally:
        os.close(own)


def _knows_subreapers() -> bool:
    import ctypes

    answer = ctypes.c_int()
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0) == 0)


def open_files(services: int) -> Iterator[Finding]:
    """Look at the limit on open files, for so many services."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield from of_limit(sys.maxsize if hard == resource.RLIM_INFINITY else hard, services)


def of_limit(hard: int, services: int) -> Iterator[Finding]:
    """Judge a hard limit on open files; the supervisor raises its own up to it."""
    needed = FILES_OF_ITS_OWN + FILES_A_SERVICE * services
    found = "no limit" if hard == sys.maxsize else f"at most {hard}"
    advice = "raise it: ulimit -Hn, or LimitNOFILE= in the systemd unit"
    if hard < needed:
        yield failure("open files", f"{found}; {services} services need {needed}", advice)
    elif hard < FEW_FILES:
        yield warning("open files", found, advice)
    else:
        yield well("open files", found)


def clock(now: float, newest_file: float) -> Iterator[Finding]:
    """Look whether the clock fits the newest file of the home, both in seconds since the epoch."""
    if now < FIRST_RELEASE:
        yield failure("clock", "the clock was never set", "set it, best by NTP")
    elif newest_file > now + CLOCK_MAY_DIFFER_S:
        ahead = round(newest_file - now)
        advice = "the clock was set back; look whether NTP works"
        yield warning("clock", f"a file of the home is {ahead} s in the future", advice)
    else:
        yield well("clock", "fits the files of the home")


def restic() -> Iterator[Finding]:
    """Look for the program that makes backups with engine restic."""
    found = shutil.which("restic")
    if found:
        yield well("restic", found)
    else:
        advice = (
            'needed only for backups with engine = "restic": install it, or use engine = "copy"'
        )
        yield warning("restic", "not installed", advice)
