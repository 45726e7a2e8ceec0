"""Who holds a state file where files have no locks: a record beside it that names its owner."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from holdfast.clock import Clock, SystemClock
from holdfast.statefile.place import Place
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.system.origin import Origin

OLD_AFTER_S = 3600.0
"""An owner that cannot be seen from here counts as dead after so long; so long may it hold a file at most."""

# Lustre without `flock`, NFS without its lock service, some FUSE file systems.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_CHANCE_DIGITS = 16
_LARGEST_PID = 2**31 - 1
_HEX = frozenset("0123456789abcdef")
# Each one more means that an owner let go, or was buried, in between.
_TRIES = 5

# What this process owns just now: any other record in its name is left of a release that failed.
_held: set[str] = set()


class Owner(NamedTuple):
    """One hold of one process; `chance` tells it from every other, `started` the process from later ones of its pid."""

    origin: Origin
    pid: int
    started: str
    chance: str


def has_no_locks(refusal: OSError) -> bool:
    """Tell whether a lock was refused because the file system has none."""
    return refusal.errno in _NO_LOCKS


def owner_name(stem: str) -> str:
    """Return the name of the record of a stem."""
    return f".{stem}.owner"


def take_instead(place: Place, refusal: OSError) -> Owner | None:
    """Become the owner of a place whose lock was refused; None when somebody else is.

    The record is a symbolic link that leads nowhere: it comes into being whole, or not at all
    because one is there, also over NFS, and nobody can see half of it. Emacs and Chromium do the
    same. A dead owner is buried: one of this origin that ended, or one that cannot be seen from here
    and is from an earlier boot of this machine or older than an hour.

    Raises:
        OSError: the refusal itself, when it was another than having no locks, or when there are no
            links either; EEXIST when something else bears the name of the record.
    """
    if not has_no_locks(refusal):
        raise refusal
    try:
        return _take(place)
    except OSError as failure:
        if failure.errno in _NO_LINKS:
            raise refusal from failure
        raise


def _take(place: Place) -> Owner | None:
    name = owner_name(place.stem)
    me = _myself(place.ops)
    for _ in range(_TRIES):
        if _create(place, name, me):
            return me
        with suppress(FileNotFoundError):
            found = _read(place, name)
            if not _is_dead_by_server(found, name, place):
                return None
            _bury(place, name, found)
    return None


def give_back(place: Place, owner: Owner) -> None:
    """Remove the record this process made; in a forked child this does nothing."""
    _remove(place, owner_name(place.stem), owner)


@contextmanager
def owned(place: Place, refusal: OSError) -> Iterator[bool]:
    """Own a place whose lock was refused for as long as a block runs; False when somebody else does.

    Raises:
        OSError: as `take_instead`.
    """
    owner = take_instead(place, refusal)
    try:
        yield owner is not None
    finally:
        if owner is not None:
            give_back(place, owner)


def living(place: Place, *, clock: Clock | None = None) -> Owner | None:
    """Return who owns a place now; None when nobody does or the owner is dead. Changes nothing.

    Raises:
        OSError: the record cannot be read.
    """
    name = owner_name(place.stem)
    try:
        found = _read(place, name)
        made_at = place.ops.lstat(place.folder, name).st_mtime
    except FileNotFoundError:
        return None
    now = (clock or SystemClock()).wall()
    return None if _is_dead(found, place.ops, lambda: now - made_at) else found


def _myself(ops: Ops) -> Owner:
    pid = ops.pid()
    return Owner(ops.origin(), pid, ops.start_of(pid) or "", os.urandom(8).hex())


def _create(place: Place, name: str, me: Owner) -> bool:
    """Make a record of this process; False when the name is taken."""
    _held.add(me.chance)
    made = False
    try:
        made = _link(place, name, me)
    finally:
        if not made:
            _held.discard(me.chance)
    return made


def _link(place: Place, name: str, me: Owner) -> bool:
    try:
        place.ops.symlink(place.folder, _text(me), name)
    except FileExistsError:
        # NFS sends a call again when its answer was lost, and then meets the link it made itself.
        with suppress(FileNotFoundError):
            return _read(place, name) == me
        return False
    return True


def _remove(place: Place, name: str, mine: Owner) -> None:
    if mine.pid != place.ops.pid():
        return
    # What cannot be removed now is known as left over by its chance.
    with suppress(OSError):
        if _read(place, name) == mine:
            place.ops.unlink(place.folder, name)
    _held.discard(mine.chance)


def _bury(place: Place, name: str, dead: Owner) -> None:
    """Remove the record of a dead owner, and never that of its successor.

    Two who find the same one dead would else remove it one after the other, the second time over a
    new owner. So only he may who makes the one name that belongs to this death, and only as long as
    the record is still that of the dead. Should he die at it, he is buried by the same rule.
    """
    right = f"{owner_name(place.stem)}.{dead.chance}"
    me = _myself(place.ops)
    if not _create(place, right, me):
        rival = _read(place, right)
        if _is_dead_by_server(rival, right, place):
            _bury(place, right, rival)
        return
    try:
        if _read(place, name) == dead:
            place.ops.unlink(place.folder, name)
    finally:
        _remove(place, right, me)


def _is_dead_by_server(found: Owner, name: str, place: Place) -> bool:
    def age() -> float:
        made_at = place.ops.lstat(place.folder, name).st_mtime
        return _now_by_server(place) - made_at

    return _is_dead(found, place.ops, age)


def _now_by_server(place: Place) -> float:
    """Return the time as the file server has it: the clocks of two machines may lie hours apart."""
    ops = place.ops
    probe = f"{owner_name(place.stem)}.{os.urandom(8).hex()}"
    ops.symlink(place.folder, "now", probe)
    try:
        return ops.lstat(place.folder, probe).st_mtime
    finally:
        ops.unlink(place.folder, probe)


def _is_dead(found: Owner, ops: Ops, age: Callable[[], float]) -> bool:
    here = ops.origin()
    if found.origin == here:
        return _is_gone(found, ops)
    if here.machine and _same_machine(found.origin, here) and found.origin.boot_id != here.boot_id:
        return True
    return age() >= OLD_AFTER_S


def _same_machine(one: Origin, other: Origin) -> bool:
    return (one.host, one.machine) == (other.host, other.machine)


def _is_gone(found: Owner, ops: Ops) -> bool:
    started = ops.start_of(found.pid)
    if started is None:
        return True
    if started and found.started and started != found.started:
        return True
    return found.pid == ops.pid() and found.chance not in _held


def _text(owner: Owner) -> str:
    own = {"pid": owner.pid, "started": owner.started, "chance": owner.chance}
    return json.dumps(owner.origin._asdict() | own, separators=(",", ":"))


def _read(place: Place, name: str) -> Owner:
    """Read a record.

    Raises:
        FileNotFoundError: there is none.
        OSError: EEXIST when it is no record, anything else when it cannot be read.
    """
    try:
        owner = _parsed(place.ops.readlink(place.folder, name))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        owner = None
    if owner is None:
        raise OSError(errno.EEXIST, f"{name} stands where the record of its owner belongs")
    return owner


def _parsed(text: str) -> Owner | None:
    """Understand the text of a record; what came from elsewhere becomes part of no name unseen."""
    try:
        fields = json.loads(text)
        origin = Origin(*(str(fields[name]) for name in Origin._fields))
        owner = Owner(origin, int(fields["pid"]), str(fields["started"]), str(fields["chance"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    fits = len(owner.chance) == _CHANCE_DIGITS and _HEX.issuperset(owner.chance)
    return owner if fits and 0 < owner.pid <= _LARGEST_PID else None
