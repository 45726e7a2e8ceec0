"""Remove what writers that died left beside their targets."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from holdfast.statefile.intent import parse_intent_name
from holdfast.statefile.lock import read_mark, sidecar_name
from holdfast.statefile.place import Place
from holdfast.statefile.system.ops import SAFELY, Ops
from holdfast.statefile.temp import TempName, parse_temp_name


class Swept(NamedTuple):
    """How much was removed."""

    temps: int = 0
    bytes: int = 0


_NOTHING = Swept()
# Ten thousand orphans must not make one write slow: the rest goes at the writes after it.
_MOST_AT_ONCE = 500


def sweep_once(place: Place) -> Swept:
    """Remove dead temps at the first write of this process to a folder; tell how much.

    The caller holds the sidecar of the place and has just replaced its target, so all dead temps of
    that target are worthless. One of another target may be the last copy of it: of those only the
    visibly cut go, the rest when their own target is written. A temp whose writer lives is never
    touched, nor is a name that no writer of ours made. At most 500 go at one write.
    """
    waiting = place.ops.swept.get(place.key)
    if waiting is not None and place.stem not in waiting:
        return _NOTHING
    still_waiting = (waiting or set()) - {place.stem}
    place.ops.swept[place.key] = still_waiting
    count = size = 0
    # The write itself is done: what goes wrong here is left to the next process.
    with suppress(OSError):
        names = place.ops.listdir(place.folder)
        # A transaction nobody has settled yet needs its temps, whatever they look like.
        is_settled = not any(map(parse_intent_name, names))
        for name, temp in _temps(names):
            if count == _MOST_AT_ONCE:
                del place.ops.swept[place.key]
                break
            if temp.stem == place.stem:
                gone = _remove_dead(place, name, temp, spare_whole=False)
            elif waiting is None and is_settled:
                gone = _sweep_other(place, name, temp, still_waiting)
            else:
                still_waiting.add(temp.stem)
                continue
            if gone is not None:
                count, size = count + 1, size + gone
    return Swept(count, size) if count else _NOTHING


def _temps(names: Iterable[str]) -> Iterator[tuple[str, TempName]]:
    for name in names:
        temp = parse_temp_name(name)
        if temp is not None:
            yield name, temp


def _sweep_other(place: Place, name: str, temp: TempName, waiting: set[str]) -> int | None:
    with _kept_out(place, temp.stem) as alone:
        gone = _remove_dead(place, name, temp, spare_whole=True) if alone else None
    if gone is None:
        waiting.add(temp.stem)
    return gone


@contextmanager
def _kept_out(place: Place, stem: str) -> Iterator[bool]:
    """Hold the sidecar of another target, if it is free at once.

    Between the creation of a temp and its flock only the sidecar says that a writer lives.
    """
    ops = place.ops
    try:
        fd = ops.open(place.folder, sidecar_name(stem), os.O_RDWR | SAFELY)
    except FileNotFoundError:
        yield True  # every writer makes the sidecar first, so there is none
        return
    except OSError:
        yield False
        return
    try:
        at = place._replace(stem=stem)
        with _alone(at, fd) as alone:
            # Its temps may belong to a transaction that was committed after this folder was listed.
            yield alone and read_mark(at) is None
    finally:
        with suppress(OSError):
            ops.close(fd)


@contextmanager
def _alone(place: Place, fd: int) -> Iterator[bool]:
    try:
        alone = place.ops.lock(fd)
    except OSError as refusal:
        from holdfast.statefile.owner import owned  # only where files have no locks

        with owned(place, refusal) as alone:
            yield alone
    else:
        yield alone


def _remove_dead(place: Place, name: str, temp: TempName, *, spare_whole: bool) -> int | None:
    """Remove a temp whose writer is gone; return its size, or None when it stays."""
    ops = place.ops
    with suppress(OSError):
        fd = ops.open(place.folder, name, os.O_RDONLY | SAFELY)
        try:
            found = ops.fstat(fd)
            mine = stat.S_ISREG(found.st_mode) and ops.uid() in (0, found.st_uid)
            dead = mine and _is_free(fd, ops)
        finally:
            ops.close(fd)  # before the unlink, which Windows refuses for an open file
        if dead and not (spare_whole and temp.is_certified and found.st_size == temp.size):
            ops.unlink(place.folder, name)
            return found.st_size
    return None


def _is_free(fd: int, ops: Ops) -> bool:
    try:
        return ops.lock(fd)
    except OSError as refusal:
        from holdfast.statefile.owner import has_no_locks  # only where files have none

        # There a temp lives as long as the owner of its target, and that is the caller now.
        if not has_no_locks(refusal):
            raise
        return True
