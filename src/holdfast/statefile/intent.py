"""The journal of one transaction: `.txn-ID.json` beside the files, and with it on disk the transaction is committed."""

import json
import os
from contextlib import suppress
from typing import Any, NamedTuple

from holdfast.statefile.ops import SAFELY, Folder, Ops

_PREFIX = ".txn-"
_SUFFIX = ".json"
_ID_DIGITS = 16
_CHUNK = 1 << 20
_HEX = frozenset("0123456789abcdef")


class Change(NamedTuple):
    """One file of a transaction: its temp takes its name; `before` is the SHA-256 it had, or `absent`.

    Size and checksum of the new content stand in the name of the temp.
    """

    name: str
    stem: str
    temp: str
    before: str


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
    if not all(fact and os.sep not in fact for fact in change):
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
