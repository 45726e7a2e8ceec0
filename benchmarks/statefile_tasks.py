"""What the Python process can be told to do: write a file in many ways, update one, look into a folder.

Each task is made once for a folder and a size, and returns a function that prepares one turn and returns it: only the turn
is timed. Packages are imported where they are used, since any of them may be missing.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from importlib import import_module
from itertools import count, repeat
from pathlib import Path

from holdfast.statefile import Durability, StateFile, inspect, write_atomic
from holdfast.statefile.recovery.inspect import LOOKS_AT_MOST

STAMP_SIZE = 16
ORPHANS_EVERY = 10

Turn = Callable[[], object]
Task = Callable[[Path, int], Iterator[Turn]]
Write = Callable[[str, bytes], object]


def _contents(size: int) -> Iterator[bytes]:
    rest = b"x" * (size - STAMP_SIZE)
    return (b"%016d" % stamp + rest for stamp in count())


def _writing(write: Write) -> Task:
    def task(folder: Path, size: int) -> Iterator[Turn]:
        path = str(folder / "state.json")
        for content in _contents(size):
            yield partial(write, path, content)

    return task


def _holdfast(durability: Durability) -> Task:
    return _writing(lambda path, content: write_atomic(path, content, durability=durability))


def _plain(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _loop(folder: Path, size: int) -> Iterator[Turn]:
    """Do in Python what the C loop does at the level `full`."""
    folder_fd = os.open(folder, os.O_RDONLY)

    def write(_path: str, content: bytes) -> None:
        fd = os.open("temp", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder_fd)
        os.write(fd, content)
        os.fsync(fd)
        os.close(fd)
        os.replace("temp", "state.json", src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
        os.fsync(folder_fd)

    return _writing(write)(folder, size)


def _atomicwrites(folder: Path, size: int) -> Iterator[Turn]:
    atomic_write = import_module("atomicwrites").atomic_write

    def write(path: str, content: bytes) -> None:
        with atomic_write(path, mode="wb", overwrite=True) as file:
            file.write(content)

    return _writing(write)(folder, size)


def _boltons(folder: Path, size: int) -> Iterator[Turn]:
    atomic_save = import_module("boltons.fileutils").atomic_save

    def write(path: str, content: bytes) -> None:
        with atomic_save(path) as file:
            file.write(content)

    return _writing(write)(folder, size)


def _atomicwriter(folder: Path, size: int) -> Iterator[Turn]:
    writer_of = import_module("atomicwriter").AtomicWriter

    def write(path: str, content: bytes) -> None:
        with writer_of(path, overwrite=True) as file:
            file.write_bytes(content)

    return _writing(write)(folder, size)


def _safer(*, temp_file: bool) -> Task:
    def task(folder: Path, size: int) -> Iterator[Turn]:
        open_safely = import_module("safer").open

        def write(path: str, content: bytes) -> None:
            with open_safely(path, "wb", temp_file=temp_file) as file:
                file.write(content)

        return _writing(write)(folder, size)

    return task


def _database(folder: Path) -> sqlite3.Connection:
    """Open a database each commit of which survives a power cut."""
    database = sqlite3.connect(folder / "state.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL").fetchone()
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, content BLOB)")
    return database


def _sqlite(folder: Path, size: int) -> Iterator[Turn]:
    with closing(_database(folder)) as database:
        upsert = "INSERT OR REPLACE INTO state VALUES ('state', ?)"
        for content in _contents(size):
            yield partial(database.execute, upsert, (content,))


def _document(size: int) -> str:
    """Return a JSON document of about so many bytes, as a list of agents would be."""
    entries: list[dict[str, object]] = []
    text = ""
    while len(text) < size:
        entries.append({"plan": f"02-{len(entries):04}", "status": "completed", "attempts": 1})
        text = json.dumps({"count": 0, "entries": entries})
    return text


def _counted(document: dict[str, int]) -> dict[str, int]:
    return {**document, "count": document["count"] + 1}


def _update_holdfast(folder: Path, size: int) -> Iterator[Turn]:
    state = StateFile(folder / "state.json")
    state.write(json.loads(_document(size)))
    yield from repeat(partial(state.update, _counted))


def _update_filelock(folder: Path, size: int) -> Iterator[Turn]:
    atomic_write = import_module("atomicwrites").atomic_write
    path = folder / "state.json"
    path.write_text(_document(size))
    lock = import_module("filelock").FileLock(folder / "lock")

    def update() -> None:
        with lock:
            document = json.loads(path.read_bytes())
            with atomic_write(str(path), mode="w", overwrite=True) as file:
                file.write(json.dumps(_counted(document)))

    yield from repeat(update)


def _update_sqlite(folder: Path, size: int) -> Iterator[Turn]:
    with closing(_database(folder)) as database:
        database.execute("INSERT OR REPLACE INTO state VALUES ('state', ?)", (_document(size),))

        def update() -> None:
            database.execute("BEGIN IMMEDIATE")
            (text,) = database.execute("SELECT content FROM state").fetchone()
            database.execute(
                "UPDATE state SET content = ?", (json.dumps(_counted(json.loads(text))),)
            )
            database.execute("COMMIT")

        yield from repeat(update)


def _populate(folder: Path, entries: int, *, with_orphans: bool) -> None:
    """Make so many entries: small JSON documents, every tenth a temp of a dead writer where wanted."""
    for number in range(entries):
        name = f"agent-{number:04}.json"
        if with_orphans and number % ORPHANS_EVERY == 0:
            name = f".agent-{number + 1:04}.json.c8.0.{number:016x}.tmp"
        (folder / name).write_text(_document(200))


def _inspect(*, looks_at_all: bool, with_orphans: bool = False) -> Task:
    def task(folder: Path, entries: int) -> Iterator[Turn]:
        _populate(folder, entries, with_orphans=with_orphans)
        looks = None if looks_at_all else LOOKS_AT_MOST
        return repeat(partial(inspect, folder, looks=looks))

    return task


def _read_all(folder: Path, entries: int) -> Iterator[Turn]:
    _populate(folder, entries, with_orphans=False)

    def read() -> None:
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                json.loads(file.read())

    return repeat(read)


TASKS: dict[str, Task] = {
    "holdfast-full": _holdfast(Durability.FULL),
    "holdfast-file": _holdfast(Durability.FILE),
    "holdfast-atomic": _holdfast(Durability.ATOMIC),
    "python": _loop,
    "atomicwrites": _atomicwrites,
    "boltons": _boltons,
    "atomicwriter": _atomicwriter,
    "safer-memory": _safer(temp_file=False),
    "safer-temp": _safer(temp_file=True),
    "plain": _writing(_plain),
    "sqlite": _sqlite,
    "update-holdfast": _update_holdfast,
    "update-filelock": _update_filelock,
    "update-sqlite": _update_sqlite,
    "inspect": _inspect(looks_at_all=False),
    "inspect-orphans": _inspect(looks_at_all=False, with_orphans=True),
    "inspect-all": _inspect(looks_at_all=True),
    "read-all": _read_all,
}
