"""Keep what a write replaces as `NAME.~1~`, and the versions before it as `NAME.~2~` and so on."""

import errno
import os
from contextlib import suppress

from holdfast.statefile.metadata import Old
from holdfast.statefile.place import Place
from holdfast.statefile.temp import temp_name

_NO_LINKS = frozenset(
    {errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV}
)


def backup_name(name: str, number: int) -> str:
    """Return the name of a backup; 1 is the youngest."""
    return f"{name}.~{number}~"


def backup_number(name: str, candidate: str) -> int | None:
    """Return which backup of a file a name is, or None when it is none."""
    number = candidate.removeprefix(f"{name}.~").removesuffix("~")
    if candidate != f"{name}.~{number}~" or not number.isdecimal():
        return None
    return int(number) or None


def keep_backup(place: Place, old: Old, count: int) -> bool:
    """Give the file that is about to be replaced a second name; False where there are no hard links.

    It costs no copy and no sync: the bytes are on the disk already. Each name is replaced in one
    step, so no version is ever gone; a death between two leaves a gap, which the next write fills.

    Raises:
        OSError: the folder refuses new names.
    """
    if old.stat is None or _is_kept(place, old):
        return True
    ops, folder = place.ops, place.folder
    link = temp_name(place.stem, old.stat.st_size, None, os.urandom(8).hex())
    try:
        ops.link(folder, place.name, link)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    try:
        for number in range(_first_gap(place, count), 1, -1):
            older, younger = (backup_name(place.name, one) for one in (number, number - 1))
            ops.replace(folder, younger, older)
        ops.replace(folder, link, backup_name(place.name, 1))
    except BaseException:
        with suppress(OSError):
            ops.unlink(folder, link)
        raise
    return True


def _is_kept(place: Place, old: Old) -> bool:
    """Tell whether a writer that died before its rename has kept this very file already."""
    assert old.stat is not None
    try:
        youngest = place.ops.lstat(place.folder, backup_name(place.name, 1))
    except FileNotFoundError:
        return False
    return (youngest.st_dev, youngest.st_ino) == (old.stat.st_dev, old.stat.st_ino)


def _first_gap(place: Place, count: int) -> int:
    """Return the first free number; the oldest counts as free."""
    for number in range(1, count):
        try:
            place.ops.lstat(place.folder, backup_name(place.name, number))
        except FileNotFoundError:
            return number
    return count
