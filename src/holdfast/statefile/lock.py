"""Locks that die with their process: the sidecar of a state file, and the long-lived lock of a program."""

import _thread
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING

from holdfast.clock import Clock, SystemClock
from holdfast.errors import LockHeld, LockTimeout
from holdfast.statefile.faults import io_error
from holdfast.statefile.place import Place, StrPath, open_place
from holdfast.statefile.system.ops import SAFELY, Ops
from holdfast.statefile.system.this import SYSTEM
from holdfast.statefile.temp import write_all

if TYPE_CHECKING:
    from holdfast.statefile.owner import Owner

LOCK_WAIT_S = 10.0

_FIRST_PAUSE_S = 0.001
_LONGEST_PAUSE_S = 0.005  # a longer one hardly ever falls between two holders who come right back
# A new holder writes its pid a few microseconds after it took the lock.
_PID_WITHIN_LOOKS = 100
_PROBES_AT_MOST = 1000
_RECORD_SIZE = 11
_SIDECAR_SIZE = 64
_MARK = "txn "
_OPENING = os.O_RDWR | os.O_CREAT | SAFELY

# Which sidecars each thread of this process holds, and how often it entered. The pid is in the key
# because a forked child inherits the table but must not believe it.
_entered: dict[tuple[int | str, ...], int] = {}
_held: set[int] = set()


class Sidecar:
    """The lock beside a state file: `.STEM.lock`, never unlinked, since a rename swaps the target's inode.

    Re-entrant for its thread. Not to be held across an `await`: tasks of one loop share a thread.
    Its first line is the pid of who held it last; a second, `txn ID`, stands there while a
    transaction is under way. Whoever enters after the death of its writer finishes that first.
    Where files have no locks a record of the owner stands in for it, see `owner`.
    """

    __slots__ = (
        "_clock",
        "_fd",
        "_key",
        "_ops",
        "_owner",
        "_place",
        "_settles",
        "_stamps",
        "_wait_for",
    )

    def __init__(
        self,
        place: Place,
        *,
        wait_for: float = LOCK_WAIT_S,
        clock: Clock | None = None,
        stamp: bool = True,
        settles: bool = True,
    ) -> None:
        self._place = place
        self._ops = place.ops
        self._wait_for = wait_for
        self._clock = clock
        self._stamps = stamp
        self._settles = settles
        self._key: tuple[int | str, ...] = ()
        self._fd: int | None = None
        self._owner: Owner | None = None

    def __enter__(self) -> "Sidecar":
        place = self._place
        pid = self._ops.pid()
        key = self._key = (pid, _thread.get_ident(), place.stem, *place.key)
        depth = _entered.get(key, 0)
        if depth == 0:
            self._fd = self._acquire(b"%10d\n" % pid)
        _entered[key] = depth + 1
        return self

    @property
    def fd(self) -> int | None:
        """Return the descriptor that holds the lock; None when an outer block of this thread does."""
        return self._fd

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        depth = _entered.pop(self._key, 1)
        if self._ops.pid() != self._key[0]:
            self._fd = None  # a forked child holds nothing, and closed its copy when it was born
            return
        if depth > 1:
            _entered[self._key] = depth - 1
        if self._fd is not None:
            _held.discard(self._fd)
            self._give_back()
            _let_go(self._fd, self._ops)
            self._fd = None

    def _acquire(self, line: bytes) -> int:
        """Lock it; what a dead transaction left is settled between two tries, when no lock is held."""
        ops, place = self._ops, self._place
        while True:
            fd = ops.open(place.folder, f".{place.stem}.lock", _OPENING, 0o600)
            try:
                if not self._take(fd):
                    self._wait(fd)
                record = ops.read(fd, _SIDECAR_SIZE)
            except BaseException:
                self._give_back()
                with suppress(OSError):
                    ops.close(fd)
                raise
            if not record:
                _hand_over(fd, place)
            # Written only when it changes: each write would make the next sync of anything dearer.
            if self._stamps and not record.startswith(line):
                _write_pid(fd, ops)
            unsettled = _mark_in(record) if len(record) > _RECORD_SIZE else None
            if unsettled is None or not self._settles:
                _held.add(fd)
                return fd
            self._give_back()
            _let_go(fd, ops)
            from holdfast.statefile.settle import settle  # rare, and it needs locks itself

            settle(place, unsettled, wait_for=self._wait_for, clock=self._clock)

    def _take(self, fd: int) -> bool:
        try:
            return self._ops.lock(fd)
        except OSError as refusal:
            from holdfast.statefile.owner import take_instead  # only where files have no locks

            self._owner = take_instead(self._place, refusal)
            return self._owner is not None

    def _give_back(self) -> None:
        if self._owner is not None:
            from holdfast.statefile.owner import give_back  # only where files have no locks

            owner, self._owner = self._owner, None
            give_back(self._place, owner)

    def _wait(self, fd: int) -> None:
        clock = self._clock or SystemClock()
        over_at = clock.monotonic() + self._wait_for
        pause = _FIRST_PAUSE_S
        while not self._take(fd):
            if clock.monotonic() >= over_at:
                holder = _read_pid(fd, self._ops)
                if holder and not self._ops.is_alive(holder):
                    holder = None  # flock(1) and recovery leave no pid
                raise LockTimeout(
                    f"{self._place.path} was not free within {self._wait_for:g} s; "
                    f"{f'process {holder}' if holder else 'another process'} holds its lock; "
                    "wait for it or end it, then try again",
                    path=self._place.path,
                )
            self._ops.pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)


def _hand_over(fd: int, place: Place) -> None:
    """Give a new sidecar to whom the file belongs, or root would lock its owner out for ever."""
    ops = place.ops
    if ops.uid() != 0 or not ops.renames_open_files:
        return
    with suppress(OSError):
        try:
            owner = ops.lstat(place.folder, place.name)
        except FileNotFoundError:
            owner = ops.fstat(place.folder.fd)
        if owner.st_uid != 0:
            ops.chown(fd, owner.st_uid, owner.st_gid)


def _forget_held() -> None:
    """Close a forked child's copies of the locks its parent holds: they are the parent's, and die with it."""
    for fd in _held:
        with suppress(OSError):
            os.close(fd)
    _held.clear()
    _entered.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_held)


def write_mark(place: Place, mark: str | None, *, is_synced: bool = False) -> None:
    """Note in a sidecar, which the caller holds, the transaction its target takes part in, or none.

    A mark is to be `is_synced` before a journal that is: else a power cut could leave the journal
    alone, and whoever locks one of the files would build on the old content before it is settled.

    Raises:
        OSError: the sidecar cannot be written.
    """
    ops = place.ops
    fd = ops.open(place.folder, sidecar_name(place.stem), os.O_RDWR | SAFELY)
    try:
        if mark is None:
            ops.truncate(fd, _RECORD_SIZE)
        else:
            ops.seek(fd, _RECORD_SIZE)
            write_all(fd, f"{_MARK}{mark}\n".encode(), ops)
            if is_synced:
                ops.sync_file(fd)
    finally:
        with suppress(OSError):
            ops.close(fd)


def read_mark(place: Place) -> str | None:
    """Return the transaction noted in a sidecar.

    Raises:
        OSError: the sidecar cannot be read.
    """
    ops = place.ops
    try:
        fd = ops.open(place.folder, sidecar_name(place.stem), os.O_RDONLY | SAFELY)
    except FileNotFoundError:
        return None
    try:
        return _mark_in(ops.read(fd, _SIDECAR_SIZE))
    finally:
        with suppress(OSError):
            ops.close(fd)


def _mark_in(record: bytes) -> str | None:
    mark = record[_RECORD_SIZE:].decode("ascii", "replace")
    if not (mark.startswith(_MARK) and mark.endswith("\n")):
        return None
    return mark.removeprefix(_MARK).strip()


def sidecar_name(stem: str) -> str:
    """Return the name of the lock file of a stem."""
    return f".{stem}.lock"


@contextmanager
def locked(
    path: StrPath, wait_for: float = LOCK_WAIT_S, *, ops: Ops = SYSTEM, clock: Clock | None = None
) -> Iterator[None]:
    """Hold the lock of a state file for a whole read, change and write.

    Writes inside by the same thread enter the same lock. Waits up to `wait_for` seconds, looking
    again after 1 to 5 ms. `flock(1)` on `.NAME.lock` excludes shell scripts too.

    Raises:
        LockTimeout: it was not free in time; the message names the holder.
        StateIOError: the lock file cannot be made.
    """
    try:
        place = open_place(path, follow=True, ops=ops)
    except OSError as error:
        raise io_error(error, os.fspath(path), "locked") from error
    with place:
        sidecar = Sidecar(place, wait_for=wait_for, clock=clock)
        try:
            sidecar.__enter__()
        except OSError as error:
            raise io_error(error, place.path, "locked") from error
        try:
            yield
        finally:
            sidecar.__exit__(None, None, None)


def holds_any() -> bool:
    """Tell whether a thread of this process holds the lock of a state file."""
    return bool(_entered)


class Held:
    """A lock this process holds until it closes it or dies, however it dies."""

    __slots__ = ("_fd", "_ops", "_owner")

    def __init__(self, fd: int, ops: Ops) -> None:
        self._fd: int | None = fd
        self._ops = ops
        self._owner = ops.pid()

    def close(self) -> None:
        """Give the lock back; the file stays. In a forked child this only forgets it."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        if self._ops.pid() != self._owner:
            self._ops.close(fd)
            return
        with suppress(OSError):
            self._ops.truncate(fd, 0)
        _let_go(fd, self._ops)

    def __enter__(self) -> "Held":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def hold(path: StrPath, *, ops: Ops = SYSTEM) -> Held:
    """Take the lock of a program, such as `supervisor.lock`, for as long as this process lives.

    The pid inside the file is for people. The descriptor is not inherited by programs started from
    here; a child that forks and never executes one shares the lock, so take it after forking.

    Raises:
        LockHeld: somebody else has it; `holder` is its pid.
        StateIOError: the lock file cannot be opened or locked.
    """
    text = os.fspath(path)
    try:
        fd = ops.open(None, text, os.O_RDWR | os.O_CREAT | SAFELY, 0o600)
    except OSError as error:
        raise io_error(error, text, "locked") from error
    try:
        _take(fd, text, ops)
        _write_pid(fd, ops)
    except OSError as error:
        ops.close(fd)
        raise io_error(error, text, "locked") from error
    except BaseException:
        ops.close(fd)
        raise
    return Held(fd, ops)


def _take(fd: int, path: str, ops: Ops) -> None:
    """Lock it; a probe of `holder` in the way is waited out, a holder is not."""
    for _ in range(_PROBES_AT_MOST):
        if ops.lock(fd):
            return
        if ops.is_locked(fd):
            break
        ops.pause(_FIRST_PAUSE_S)
    pid = _settled_pid(fd, ops)
    raise LockHeld(
        f"{path} is held by {f'process {pid}' if pid else 'another process'}; "
        "only one may hold it at a time; stop that one first",
        holder=pid,
    )


def holder(path: StrPath, *, ops: Ops = SYSTEM) -> int | None:
    """Return the pid that holds a program's lock now; None when nobody does. Changes nothing.

    Raises:
        LockHeld: it is held, but not by a program that wrote its pid.
        StateIOError: the lock file cannot be read.
    """
    text = os.fspath(path)
    try:
        fd = ops.open(None, text, os.O_RDONLY | SAFELY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise io_error(error, text, "read") from error
    try:
        if not ops.is_locked(fd):
            return None
        pid = _settled_pid(fd, ops)
    except OSError as error:
        raise io_error(error, text, "read") from error
    finally:
        with suppress(OSError):
            ops.close(fd)
    if pid is None:
        raise LockHeld(
            f"{text} is held by a program that left no pid in it; look for it with lsof"
        )
    return pid


def _settled_pid(fd: int, ops: Ops) -> int | None:
    """Read the pid; what a killed holder left is not believed before its successor had time to write."""
    pid = None
    for _ in range(_PID_WITHIN_LOOKS):
        pid = _read_pid(fd, ops)
        if pid is not None and ops.is_alive(pid):
            break
        ops.pause(_FIRST_PAUSE_S)
    return pid


def _read_pid(fd: int, ops: Ops) -> int | None:
    ops.seek(fd, 0)
    text = ops.read(fd, _RECORD_SIZE).strip()
    return int(text) if text.isdigit() and int(text) > 0 else None


def _write_pid(fd: int, ops: Ops) -> None:
    # For people and for the message of a timeout only, so a full disk must not refuse the lock.
    with suppress(OSError):
        ops.seek(fd, 0)
        ops.write(fd, b"%10d\n" % ops.pid())


def _let_go(fd: int, ops: Ops) -> None:
    try:
        try:
            # Unlocking first also frees it when a child between fork and exec still has a copy.
            ops.unlock(fd)
        finally:
            ops.close(fd)
    except OSError:
        return  # the kernel frees it with the descriptor, error or not
