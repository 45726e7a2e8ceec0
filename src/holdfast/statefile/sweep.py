"""Remove what writers that died left beside their targets."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from holdfast.statefile.lock import sidecar_name
from holdfast.statefile.ops import SAFELY
from holdfast.statefile.place import Place
from holdfast.statefile.temp import TempName, parse_temp_name


def sweep_once(place: Place) -> int:
    """Remove dead temps at the first write of this process to a folder; return how many.

    The caller holds the sidecar of the place and has just replaced its target, so all dead temps of
    that target are worthless. One of another target may be the last copy of it: of those only the
    visibly cut go, the rest when their own target is written. A temp whose writer lives is never
    touched, nor is a name that no writer of ours made.
    """
    waiting = place.ops.swept.get(place.key)
    if waiting is not None and place.stem not in waiting:
        return 0
    still_waiting = (waiting or set()) - {place.stem}
    place.ops.swept[place.key] = still_waiting
    swept = 0
    # The write itself is done: what goes wrong here is left to the next process.
    with suppress(OSError):
        for name, temp in _temps(place):
            if temp.stem == place.stem:
                swept += _remove_dead(place, name, temp, spare_whole=False)
            elif waiting is None:
                swept += _sweep_other(place, name, temp, still_waiting)
    return swept


def _temps(place: Place) -> Iterator[tuple[str, TempName]]:
    for name in place.ops.listdir(place.folder):
        temp = parse_temp_name(name)
        if temp is not None:
            yield name, temp


def _sweep_other(place: Place, name: str, temp: TempName, waiting: set[str]) -> bool:
    with _kept_out(place, temp.stem) as alone:
        removed = alone and _remove_dead(place, name, temp, spare_whole=True)
    if not removed:
        waiting.add(temp.stem)
    return removed


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
        yield ops.lock(fd)
    finally:
        with suppress(OSError):
            ops.close(fd)


def _remove_dead(place: Place, name: str, temp: TempName, *, spare_whole: bool) -> bool:
    ops = place.ops
    with suppress(OSError):
        fd = ops.open(place.folder, name, os.O_RDONLY | SAFELY)
        try:
            found = ops.fstat(fd)
            mine = stat.S_ISREG(found.st_mode) and ops.uid() in (0, found.st_uid)
            dead = mine and ops.lock(fd)
        finally:
            ops.close(fd)  # before the unlink, which Windows refuses for an open file
        if dead and not (spare_whole and found.st_size == temp.size):
            ops.unlink(place.folder, name)
            return True
    return False
