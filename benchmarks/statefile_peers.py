"""Everything that is measured, in the order of the tables, and what each way to write guarantees."""

import enum
from dataclasses import dataclass


class Table(enum.Enum):
    """One table each; those of writers are told apart by what holds once a write was acknowledged."""

    FULL = "full: after a power cut the new content stands there"
    FILE = "file: after a power cut the old or the new content stands there, whole"
    ATOMIC = "atomic: after the death of a process the old or the new content stands there, whole"
    UPDATE = "update: read, change and write JSON under a lock; no power cut undoes it"
    INSPECT = "inspect: what did crashes leave in a folder?"


class Host(enum.Enum):
    """The process in which something is measured."""

    C = "c"
    PYTHON = "python"
    NODE = "node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One line of a table; `c` is what the others of a table are compared with."""

    name: str
    label: str
    table: Table
    task: str  # by this word its process knows it
    host: Host = Host.PYTHON
    packages: tuple[str, ...] = ()
    note: str = ""  # printed below the table


def _c(table: Table, task: str, label: str = "C loop (the limit)") -> Peer:
    return Peer(name="c", label=label, host=Host.C, table=table, task=task)


def _holdfast(table: Table, task: str, label: str, note: str = "") -> Peer:
    return Peer(name="holdfast", label=label, table=table, task=task, note=note)


def _npm(task: str, label: str) -> Peer:
    return Peer(
        name="write-file-atomic",
        label=label,
        table=Table.FILE,
        task=task,
        host=Host.NODE,
        packages=("write-file-atomic",),
    )


PEERS = (
    _c(Table.FULL, "full"),
    Peer(
        name="python",
        label="Python, the same calls",
        table=Table.FULL,
        task="python",
        note="without lock, without permissions, without anything that a crash or a full disk would ask for",
    ),
    Peer(
        name="atomicwrites",
        label="atomicwrites",
        table=Table.FULL,
        task="atomicwrites",
        packages=("atomicwrites",),
        note="no lock; permissions are not kept",
    ),
    Peer(
        name="sqlite",
        label="SQLite, WAL, synchronous FULL",
        table=Table.FULL,
        task="sqlite",
        note="a database: nothing that a text editor or `jq` can read",
    ),
    _holdfast(Table.FULL, "holdfast-full", "Holdfast, full"),
    _c(Table.FILE, "file"),
    Peer(
        name="boltons",
        label="boltons atomic_save",
        table=Table.FILE,
        task="boltons",
        packages=("boltons",),
        note="no lock; its own temp, left by a crash, refuses every later write",
    ),
    _npm("npm-sync", "npm write-file-atomic, sync"),
    _npm("npm-async", "npm write-file-atomic, async"),
    _holdfast(Table.FILE, "holdfast-file", "Holdfast, file"),
    _c(Table.ATOMIC, "atomic"),
    _c(Table.ATOMIC, "rename", "C loop, blocks not reserved"),
    Peer(
        name="plain",
        label='open(path, "wb")',
        table=Table.ATOMIC,
        task="plain",
        note="guarantees nothing: readers see empty and cut files, and a crash leaves one",
    ),
    Peer(
        name="safer",
        label="safer, in memory",
        table=Table.ATOMIC,
        task="safer-memory",
        packages=("safer",),
    ),
    Peer(
        name="safer",
        label="safer, temp_file",
        table=Table.ATOMIC,
        task="safer-temp",
        packages=("safer",),
    ),
    Peer(
        name="atomicwriter",
        label="atomicwriter (Rust)",
        table=Table.ATOMIC,
        task="atomicwriter",
        packages=("atomicwriter",),
        note="syncs only after the rename, so that a power cut may leave an empty file",
    ),
    _holdfast(Table.ATOMIC, "holdfast-atomic", "Holdfast, atomic"),
    _c(Table.UPDATE, "full", "C loop, write only (the limit)"),
    Peer(
        name="filelock",
        label="filelock + json + atomicwrites",
        table=Table.UPDATE,
        task="update-filelock",
        packages=("filelock", "atomicwrites"),
    ),
    Peer(
        name="sqlite",
        label="SQLite, one transaction",
        table=Table.UPDATE,
        task="update-sqlite",
    ),
    _holdfast(Table.UPDATE, "update-holdfast", "Holdfast StateFile.update"),
    Peer(
        name="python",
        label="Python, read and parse each file",
        table=Table.INSPECT,
        task="read-all",
    ),
    _holdfast(
        Table.INSPECT,
        "inspect",
        "Holdfast, JSON files",
        "opens 128 files of a folder at most, those with something beside them first",
    ),
    _holdfast(
        Table.INSPECT,
        "inspect-orphans",
        "Holdfast, every tenth a dead temp",
    ),
    _holdfast(
        Table.INSPECT,
        "inspect-all",
        "Holdfast, JSON files, looks=None",
        "opens and parses every file",
    ),
)

NAMES = tuple(dict.fromkeys(peer.name for peer in PEERS))
