"""New content of one file: written beside it, with all that is kept of the old one, but not in its place yet."""

import os
from typing import NamedTuple

from holdfast.statefile.durability import Durability
from holdfast.statefile.metadata import Old, carry_over
from holdfast.statefile.place import Place
from holdfast.statefile.system.ops import SAFELY
from holdfast.statefile.temp import Temp, checksum, temp_name, write_all

# From this size on the checksum is made while the disk is already writing.
_CERTIFY_LATER_FROM = 1 << 16
_PROBES_AT_MOST = 100
_PROBE_S = 0.001
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | SAFELY


class Order(NamedTuple):
    """What is to be written, over what (`expect`: a SHA-256 in hex, or `absent`), and what is kept of that.

    What is not `certified` counts for nothing by itself: a journal certifies it.
    """

    content: bytes
    durability: Durability
    mode: int | None = None
    expect: str | None = None
    backups: int = 0
    certified: bool = True


def draft(place: Place, order: Order, old: Old) -> Temp:
    """Write the content into a temp, give it what the old file had, and sync both.

    Raises:
        OSError: the system refused; no temp is left.
    """
    ops, content = place.ops, order.content
    is_late = len(content) >= _CERTIFY_LATER_FROM and ops.renames_open_files
    certificate = None if is_late or not order.certified else checksum(content)
    name = temp_name(place.stem, len(content), certificate, os.urandom(8).hex())
    # Only a creation with 0666 lets the kernel apply the umask, or the folder's default access list.
    mode = 0o666 if old.stat is None and order.mode is None else 0o600
    temp = Temp(place, name, ops.open(place.folder, name, _NEW, mode))
    try:
        _claim(temp)
        if order.durability is Durability.ATOMIC:
            _fill(temp, order, old)
        else:
            _fill_and_sync(temp, order, old, is_late=is_late and order.certified)
    except BaseException:
        temp.discard()
        raise
    return temp


def _claim(temp: Temp) -> None:
    ops = temp.place.ops
    try:
        for _ in range(_PROBES_AT_MOST):
            if ops.lock(temp.fd):
                return
            ops.pause(_PROBE_S)  # somebody is just looking whether a writer lives
    except OSError as refusal:
        from holdfast.statefile.owner import has_no_locks  # only where files have none

        # There the record of the owner, which the writer made first, says that it lives.
        if not has_no_locks(refusal):
            raise


def _fill(temp: Temp, order: Order, old: Old) -> None:
    ops, fd = temp.place.ops, temp.fd
    ops.reserve(fd, len(order.content))
    write_all(fd, order.content, ops)
    temp.lost = carry_over(old, fd, order.mode, ops)
    ops.close_copy(fd)


def _fill_and_sync(temp: Temp, order: Order, old: Old, *, is_late: bool) -> None:
    ops, fd = temp.place.ops, temp.fd
    written = ops.write(fd, order.content)
    if written < len(order.content):
        write_all(fd, order.content[written:], ops)
    temp.lost = carry_over(old, fd, order.mode, ops)
    if is_late:
        ops.start_writing(fd)
        temp.certify(checksum(order.content))
    # Never repeated: after a failed fsync the kernel calls the pages clean, so a second one succeeds
    # over lost data (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
    temp.is_ordered = ops.sync_file(fd)
