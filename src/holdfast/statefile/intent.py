"""The journal of one transaction: `.txn-ID.json` beside the files, and with it on disk the transaction is committed."""

import json
import os
from contextlib import suppress
from typing import Any, NamedTuple

from holdfast.statefile.system.ops import SAFELY, Folder, Ops
from holdfast.statefile.temp import TempName

_PREFIX = ".txn-"
_SUFFIX = ".json"
_ID_DIGITS = 16
_CHUNK = 1 << 20
_HEX = frozenset("0123456789abcdef")


class Change(NamedTuple):
    """One file of a transaction: its temp takes its name; `before` is the SHA-256 it had, or `absent`.

    Its temp is not certified by its name, so that without the journal it counts for nothing.
    """

    name: str
    stem: str
    temp: str
    before: str
    size: int
    checksum: str

    def is_fulfilled_by(self, content: bytes) -> bool:
        """Tell whether this is the new content, whole."""
        return TempName(self.stem, self.size, self.checksum).is_fulfilled_by(content)


class Intent(NamedTuple):
    """What a transaction does."""

    id: str
    changes: tuple[Change, ...]


def intent_name(txn: str) -> str:
    """Return the name of a journal."""
    return f"{_PREFIX}{txn}{_SUFFIX}"


def parse_intent_name(name: str) -> str | None:
    """Return the id a journal is named after, or None when it is none."""
    txn = name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
    if name != intent_name(txn) or len(txn) != _ID_DIGITS or not _HEX.issuperset(txn):
        return None
    return txn


def encoded(intent: Intent) -> bytes:
    """Return the content of a journal."""
    changes = [change._asdict() for change in intent.changes]
    return (json.dumps({"version": 1, "changes": changes}) + "\n").encode()


def decoded(txn: str, content: bytes) -> Intent | None:
    """Return what a journal says, or None when it was never finished."""
    with suppress(ValueError, TypeError, KeyError):
        changes = json.loads(content)["changes"]
        return Intent(txn, tuple(_change(one) for one in changes))
    return None


def _change(one: dict[str, Any]) -> Change:
    change = Change(**one)
    # A journal names files of its own folder and nothing else.
    words = (change.name, change.stem, change.temp, change.before, change.checksum)
    if not all(word and os.sep not in word for word in words) or change.size < 0:
        raise ValueError(change)
    return change


def read_intent(folder: Folder, txn: str, ops: Ops) -> Intent | None:
    """Return what the journal of a transaction says; None when there is none, or none that was finished.

    Raises:
        OSError: it cannot be read.
    """
    content = read_content(folder, intent_name(txn), ops)
    return None if content is None else decoded(txn, content)


def read_content(folder: Folder, name: str, ops: Ops) -> bytes | None:
    """Return the content of a file of a folder; None when there is none.

    Raises:
        OSError: it cannot be read.
    """
    try:
        fd = ops.open(folder, name, os.O_RDONLY | SAFELY)
    except FileNotFoundError:
        return None
    try:
        chunks = []
        while chunk := ops.read(fd, _CHUNK):
            chunks.append(chunk)
        return b"".join(chunks)
    finally:
        with suppress(OSError):
            ops.close(fd)


def pending(folder: Folder, ops: Ops) -> list[str]:
    """Return the ids of the transactions whose journal stands in a folder.

    Raises:
        OSError: the folder cannot be read.
    """
    ids = map(parse_intent_name, ops.listdir(folder))
    return sorted(txn for txn in ids if txn is not None)
