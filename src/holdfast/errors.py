"""Every error Holdfast raises, and the exit code each becomes.

HoldfastError                 1  something asked for could not be done
├── UsageError                2  wrong use of a command or a function
│   └── UnknownName           2  no service, job or agent of that name
├── ConfigError               2  holdfast.toml is wrong; carries every problem found
├── NotRunning                3  no supervisor is running for this home
├── Refused                   4  understood, and not done
│   └── LockHeld              4  somebody else holds the lock
├── StartFailed               1  a program could not be executed
├── BackupFailed              1  a project could not be backed up, verified or brought back (machine/backup/engine.py)
│   ├── EngineMissing         1  the program that makes the snapshots is not installed
│   ├── ProjectMissing        1  the folder of the project is not there, or empty
│   ├── RepositoryMissing     1  the place of the snapshots is not there
│   └── RepositoryUnusable    1  it is there: password, lock, room, damage or way there
├── StoreError                7  the database of the hub cannot be used
└── StateError                   a state file
    ├── InvalidContent        4  refused before anything was written
    ├── Conflict              4  the file is not what the caller expected
    ├── LockTimeout           4  the lock was not free in time
    ├── CommittedNotDurable   5  written and visible, but a power cut may still undo it
    ├── Corrupt               6  what is on disk cannot be read as what it should be
    └── StateIOError          7  full disk, read-only file system, quota, permission
"""

from typing import NamedTuple


class HoldfastError(Exception):
    """Root of every error a caller may see."""

    exit_code = 1


class UsageError(HoldfastError):
    """A command or function was used wrongly."""

    exit_code = 2


class UnknownName(UsageError):
    """Nothing bears the name, or nothing matches the pattern."""


class Problem(NamedTuple):
    """One thing wrong in a configuration: where it stands, what it is, what to write instead."""

    place: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" + (f"; {self.hint}" if self.hint else "")


class ConfigError(HoldfastError):
    """A configuration cannot be used; `problems` holds all that is wrong with it."""

    exit_code = 2

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class NotRunning(HoldfastError):
    """No supervisor answers for this home."""

    exit_code = 3


class Refused(HoldfastError):
    """The request was understood and not carried out."""

    exit_code = 4


class LockHeld(Refused):
    """Another process holds the lock; `holder` is its pid where known."""

    def __init__(self, message: str, *, holder: int | None = None) -> None:
        self.holder = holder
        super().__init__(message)


class StartFailed(HoldfastError):
    """A program could not be executed.

    `permanent` tells a fault that a retry cannot mend (missing file, unknown user) from a shortage that may pass.
    """

    def __init__(self, message: str, *, permanent: bool) -> None:
        self.permanent = permanent
        super().__init__(message)


class StoreError(HoldfastError):
    """The database of the hub cannot be used; nothing was changed."""

    exit_code = 7


class StateError(HoldfastError):
    """A state file could not be read or written; `path` names it."""

    exit_code = 7

    def __init__(self, message: str, *, path: str) -> None:
        self.path = path
        super().__init__(message)


class InvalidContent(StateError):
    """The new content was refused before anything was written."""

    exit_code = 4


class Conflict(StateError):
    """The file is not what the caller said it would be; nothing was written."""

    exit_code = 4


class LockTimeout(StateError):
    """The lock of a state file was not free in time; nothing was written."""

    exit_code = 4


class CommittedNotDurable(StateError):
    """The new content is in place and visible, but a power cut may still bring the old one back."""

    exit_code = 5


class Corrupt(StateError):
    """A state file is not what it should be; it was left as it is."""

    exit_code = 6


class StateIOError(StateError):
    """The operating system refused a state file: `errno_name` says why, the old content is untouched."""

    def __init__(self, message: str, *, path: str, errno_name: str) -> None:
        self.errno_name = errno_name
        super().__init__(message, path=path)
