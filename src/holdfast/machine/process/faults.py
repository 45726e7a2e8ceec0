"""Why a program could not be started, in words that say what to change."""

import errno
import os
import stat
from collections.abc import Iterator

from holdfast.errors import StartFailed
from holdfast.machine.process.launch import Launch

# What may pass by itself; a second try with everything else would fail like the first.
_PASSING = {
    errno.EAGAIN: "the limit of processes is reached",
    errno.EMFILE: "this program has too many files open",
    errno.ENFILE: "this machine has too many files open",
    errno.ENOMEM: "there is not enough memory",
    errno.ETXTBSY: "somebody is writing the program's file",
    errno.EIO: "its file could not be read",
    errno.ESTALE: "the network file system lost its file",
    errno.EINTR: "the start was interrupted",
}


def explain(launch: Launch, error: Exception) -> StartFailed:
    """Turn the failure of a start into an error that says what is missing and where it was looked for."""
    name = launch.argv[0]
    if not isinstance(error, OSError):
        return StartFailed(f"{name!r} cannot be started: {error}", permanent=True)
    if error.errno in _PASSING:
        why = _PASSING[error.errno]
        return StartFailed(f"{name!r} could not be started now: {why}", permanent=False)
    why = _cwd_fault(launch) or _user_fault(launch, error) or _program_fault(launch, error)
    return StartFailed(f"{name!r} cannot be started: {why}", permanent=True)


def _cwd_fault(launch: Launch) -> str | None:
    if launch.cwd is None:
        return None
    try:
        mode = os.stat(launch.cwd).st_mode
    except PermissionError:
        return f"its folder {launch.cwd} may not be entered by this user"
    except OSError:
        return f"its folder {launch.cwd} does not exist; create it or correct cwd"
    if not stat.S_ISDIR(mode):
        return f"its cwd {launch.cwd} is not a folder"
    if not os.access(launch.cwd, os.X_OK):
        return f"its folder {launch.cwd} may not be entered by this user"
    return None


def _user_fault(launch: Launch, error: OSError) -> str | None:
    wanted = launch.uid is not None or launch.gid is not None or launch.groups is not None
    if error.errno == errno.EPERM and wanted:
        return "only root may run it as another user or group; leave out user, or run the supervisor as root"
    return None


def _program_fault(launch: Launch, error: OSError) -> str:
    found = next((path for path in candidates(launch) if os.path.lexists(path)), None)
    if found is None:
        return _missing(launch, error)
    if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR}:
        return _missing_part(found)
    if error.errno == errno.EACCES:
        return _forbidden(launch, found)
    if error.errno == errno.ENOEXEC:
        return f"{found} is neither a program for this machine nor a script that begins with #!"
    if error.errno == errno.E2BIG:
        return "its arguments and environment together are too long"
    return f"{found}: {os.strerror(error.errno or 0)}"


def candidates(launch: Launch) -> Iterator[str]:
    """Yield where the program is looked for: the PATH of its own environment, seen from its own folder."""
    name, home = launch.argv[0], launch.cwd or os.curdir
    if os.path.dirname(name):
        yield os.path.join(home, name)
        return
    for folder in os.get_exec_path(launch.env):
        yield os.path.join(home, folder, name)


def _missing(launch: Launch, error: OSError) -> str:
    name = launch.argv[0]
    if os.path.dirname(name):
        place = f" in {launch.cwd or os.getcwd()}" if not os.path.isabs(name) else ""
        reason = "" if error.errno == errno.ENOENT else f" ({os.strerror(error.errno or 0)})"
        return f"there is no such file{place}{reason}"
    searched = os.pathsep.join(os.get_exec_path(launch.env)) or "empty"
    return f"there is no such program in its PATH ({searched}); write its full path or extend PATH"


def _missing_part(found: str) -> str:
    if os.path.islink(found) and not os.path.exists(found):
        return f"{found} is a link to {os.readlink(found)}, which does not exist"
    interpreter = _interpreter(found)
    if interpreter is None:
        return f"{found} exists, but the loader it was built for does not"
    return f"{found} exists, but its interpreter {interpreter} (its first line) does not"


def _forbidden(launch: Launch, found: str) -> str:
    if os.path.isdir(found):
        return f"{found} is a folder"
    if not os.stat(found).st_mode & 0o111:
        return f"{found} is not executable; `chmod +x` makes it so"
    interpreter = _interpreter(found)
    if interpreter is not None and not os.access(interpreter, os.X_OK):
        return f"its interpreter {interpreter} (the first line of {found}) is not executable"
    who = "this user" if launch.uid is None else f"user {launch.uid}"
    return f"{found} may not be executed by {who}, or lies on a file system mounted noexec"


def _interpreter(path: str) -> str | None:
    try:
        with open(path, "rb") as source:
            first = source.readline(256)
    except OSError:
        return None
    if not first.startswith(b"#!"):
        return None
    # A carriage return at the end, from an editor on Windows, is part of the name and shown as such.
    words = first[2:].rstrip(b"\n").strip(b" \t").split(None, 1)
    named = first[2:].strip(b" \t\n").split(b" ", 1)[0] if words else b""
    return ascii(os.fsdecode(named))[1:-1] if b"\r" in named else os.fsdecode(named)
