"""Read back what programs logged: the newest lines, over rotated files."""

import json
import os
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, BinaryIO

from holdfast.client.level import Level, level_named
from holdfast.clock import wall_from_text
from holdfast.errors import UsageError
from holdfast.home import NAME, Home, default_home

_BLOCK = 65_536


def recent(
    name: str,
    n: int = 100,
    level: str | None = None,
    since: float | None = None,
    *,
    home: Path | None = None,
) -> list[dict[str, Any]]:
    """Return the last `n` lines of a log, newest last: of a service, of `health` or of `policy-hits`.

    `level` leaves out what is less serious, `since` what is older (seconds since the epoch). A line that is no
    JSON object comes as `{"message": line}`; it has no level and no time, so either filter leaves it out.

    Raises:
        UsageError: a bad name or an unknown level.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name of a log; expected that of a service, as in recent('api')"
        )
    least = None if level is None else level_named(level)
    newest = Home(home or default_home()).log(name)
    records = (_record(line) for line in _lines_from_the_end(newest) if line)
    found = (record for record in records if _is_wanted(record, least, since))
    return list(islice(found, max(n, 0)))[::-1]


def _lines_from_the_end(newest: Path) -> Iterator[bytes]:
    seen: set[tuple[int, int]] = set()
    for path in _files(newest):
        try:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                # A rotation between two looks gives the file just read its next name.
                if (found.st_dev, found.st_ino) in seen:
                    continue
                seen.add((found.st_dev, found.st_ino))
                yield from _backwards(file, found.st_size)
        except FileNotFoundError:
            if path != newest:
                return


def _files(newest: Path) -> Iterator[Path]:
    yield newest
    for age in count(1):
        yield newest.with_name(f"{newest.name}.{age}")


def _backwards(file: BinaryIO, end: int, *, block: int = _BLOCK) -> Iterator[bytes]:
    """Yield the lines before `end`, last one first, reading only as much as is asked for."""
    held = b""
    while end > 0:
        start = max(0, end - block)
        file.seek(start)
        first, *whole = (file.read(end - start) + held).split(b"\n")
        yield from reversed(whole)
        held, end = first, start
    yield held


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if isinstance(record, dict):
        return record
    return {"message": line.decode("utf-8", "backslashreplace")}


def _is_wanted(record: dict[str, Any], least: Level | None, since: float | None) -> bool:
    if least is not None and Level.__members__.get(str(record.get("level")), 0) < least:
        return False
    return since is None or _written_at(record) >= since


def _written_at(record: dict[str, Any]) -> float:
    try:
        return wall_from_text(record["at"])
    except (KeyError, TypeError, ValueError):
        return float("-inf")
