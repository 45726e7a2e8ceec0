"""Add and remove the table of one backup in the configuration as a person wrote it, comments and order kept."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from holdfast import statefile
from holdfast.config.crosscheck import crosscheck
from holdfast.config.place import key_lines
from holdfast.config.read import read_document
from holdfast.config.sources import Source, Sources, read_sources
from holdfast.config.toml import write_toml
from holdfast.errors import ConfigError, HoldfastError, Problem, Refused, UnknownName

SECTION = "backup"

NEW_FILE = """\
# Holdfast keeps what is named here: `holdfast up`, then `holdfast status`.
# Every key: `holdfast config schema`. Is it right? `holdfast config check`.

"""

_ANY_HEADER = re.compile(r"[ \t]*\[")
_BYTE_ORDER_MARK = "\ufeff"


def add_backup(
    main: Path, name: str, table: Mapping[str, object], environ: Mapping[str, str]
) -> Path:
    """Write the table of a new backup behind everything else in the main file, and return the file.

    The file is made when there is none, readable by its owner only. Nothing is written that would not load.

    Raises:
        ConfigError: the configuration is wrong as it is, or would be with this table.
        Refused: the name is taken by a backup.
        StateError: the file could not be written, or somebody else changed it just now.
    """
    if not main.exists():
        _write_new(main, NEW_FILE + write_toml({SECTION: {name: table}}), environ)
        return main
    old = _read(main, environ)
    if name in _tables(old.plain):
        raise Refused(
            f"{SECTION}.{name} is there already, at {old.place_of((SECTION, name))}; "
            "nothing was written: choose another name, or edit it there and run: holdfast reload"
        )
    text = _text(main)
    wanted = _with(tomllib.loads(_plain(text)), name, table)
    _write(old, main, text, _first_that_says(wanted, _added(text, name, table)))
    return main


def remove_backup(main: Path, name: str, environ: Mapping[str, str]) -> Path:
    """Take the table of a backup out of the file it stands in, which may be an included one, and return that file.

    Raises:
        ConfigError: the configuration is wrong as it is, or would be without this table.
        UnknownName: there is no such backup.
        Refused: the table is written in a way that cannot be edited.
        StateError: the file could not be written, or somebody else changed it just now.
    """
    old = _read(main, environ)
    if name not in _tables(old.plain):
        known = ", ".join(sorted(_tables(old.plain))) or "none"
        raise UnknownName(f"there is no backup {name!r} in {old.main.shown}; known: {known}")
    path = old.source_of((SECTION, name)).path
    text = _text(path)
    wanted = _without(tomllib.loads(_plain(text)), name)
    _write(old, path, text, _first_that_says(wanted, _removed(text, name)))
    return path


def _read(main: Path, environ: Mapping[str, str]) -> Sources:
    sources = read_sources(main, environ)
    if isinstance(sources, Problem):
        raise ConfigError((sources,))
    _check(sources)
    return sources


def _check(sources: Sources) -> None:
    crosscheck(read_document(sources), sources)
    if sources.count:
        raise ConfigError(sources.problems())


def _write(old: Sources, path: Path, before: str, after: str) -> None:
    """Write one file of a configuration once the whole of it, with this change, was found good."""
    new = Sources(main=_source(old.main, old.main.path, 0, after), environ=old.environ)
    for number, file in enumerate(old.files):
        text = after if file == path.expanduser().absolute() else _text(file)
        new.files.append(file)
        new.take(_in(new, old, file, number, text), tomllib.loads(_plain(text)))
    _check(new)
    statefile.write_atomic(path, after.encode(), expect=_version(before))


def _in(new: Sources, old: Sources, file: Path, number: int, text: str) -> Source:
    if number:
        return _source(old.main, file, number, text)
    new.main = _source(old.main, file, number, text)
    return new.main


def _source(main: Source, path: Path, number: int, text: str) -> Source:
    shown = main.shown if path == main.path else str(path)
    return Source(shown=shown, path=path, number=number, lines=key_lines(_plain(text)))


def _write_new(path: Path, text: str, environ: Mapping[str, str]) -> None:
    source = Source(
        shown=str(path), path=path.expanduser().absolute(), number=0, lines=key_lines(text)
    )
    sources = Sources(main=source, environ=environ)
    sources.take(source, tomllib.loads(text))
    _check(sources)
    statefile.write_atomic(path, text, mode=0o600, create_only=True)


def _first_that_says(wanted: Mapping[str, object], candidates: Iterator[str]) -> str:
    """Return the first text that means exactly what is wanted: an edit is believed only once it was read back."""
    for text in candidates:
        try:
            if tomllib.loads(_plain(text)) == wanted:
                return text
        except ValueError:
            continue
    raise Refused(
        f"the tables of [{SECTION}] are written in a way that cannot be edited without touching the rest; "
        "nothing was written: edit the file by hand, then run: holdfast reload"
    )


def _added(text: str, name: str, table: Mapping[str, object]) -> Iterator[str]:
    line_end = "\r\n" if "\r\n" in text else "\n"
    lines = write_toml({SECTION: {name: table}}).splitlines()
    rest = "" if not text.strip(_BYTE_ORDER_MARK + " \t\r\n") else line_end
    ended = text if not text or text.endswith("\n") else text + line_end
    yield ended + rest + "".join(line + line_end for line in lines)
    # Where backups are the items of one inline table, no header may follow.
    try:
        document = tomlkit.parse(_plain(text))
        document[SECTION][name] = dict(table)
        yield _marked(text, tomlkit.dumps(document))
    except (TOMLKitError, KeyError, TypeError):
        return


def _removed(text: str, name: str) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    own = re.compile(rf"""[ \t]*\[[ \t]*{SECTION}[ \t]*\.[ \t]*["']?{name}["']?[ \t]*[.\]]""")
    yield "".join(_lines_without(lines, own))
    try:
        document = tomlkit.parse(_plain(text))
        del document[SECTION][name]
        if not document[SECTION]:
            del document[SECTION]
        yield _marked(text, tomlkit.dumps(document))
    except (TOMLKitError, KeyError, TypeError):
        return


def _lines_without(lines: list[str], own: re.Pattern[str]) -> Iterator[str]:
    """Yield all lines but those of the tables meant; what stands behind a blank line there speaks of what follows."""
    kept_blank = True
    at = 0
    while at < len(lines):
        if not own.match(lines[at]):
            kept_blank = not lines[at].strip()
            yield lines[at]
            at += 1
            continue
        end = next(
            (n for n in range(at + 1, len(lines)) if _ANY_HEADER.match(lines[n])), len(lines)
        )
        while end > at and _is_aside(lines[end - 1]):
            end -= 1
        while end < len(lines) and lines[end].strip():  # a comment that follows at once
            if _ANY_HEADER.match(lines[end]):
                break
            end += 1
        while kept_blank and end < len(lines) and not lines[end].strip():
            end += 1
        at = end


def _is_aside(line: str) -> bool:
    bare = line.strip()
    return not bare or bare.startswith("#")


def _with(plain: dict[str, object], name: str, table: Mapping[str, object]) -> dict[str, object]:
    return {**plain, SECTION: {**_tables(plain), name: dict(table)}}


def _without(plain: dict[str, object], name: str) -> dict[str, object]:
    left = {key: value for key, value in _tables(plain).items() if key != name}
    rest = {key: value for key, value in plain.items() if key != SECTION}
    return {**rest, SECTION: left} if left else rest


def _tables(plain: Mapping[str, object]) -> dict[str, object]:
    found = plain.get(SECTION)
    return found if isinstance(found, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.expanduser().read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise HoldfastError(f"{path} cannot be read: {error}") from error


def _plain(text: str) -> str:
    return text.removeprefix(_BYTE_ORDER_MARK)


def _marked(before: str, after: str) -> str:
    return _BYTE_ORDER_MARK + after if before.startswith(_BYTE_ORDER_MARK) else after


def _version(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()
