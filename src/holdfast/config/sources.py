"""The files of a configuration: the one that was named and those it includes, as one table."""

import glob
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.config.origin import Origin
from holdfast.config.place import KeyPath, key_lines, line_of, syntax_fault
from holdfast.config.unfit import Unfit
from holdfast.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file: `shown` is its path as the person wrote it."""

    shown: str
    path: Path
    number: int
    lines: Mapping[KeyPath, int]

    def place(self, path: KeyPath) -> str:
        """Return file and line of a key."""
        line = line_of(self.lines, path)
        return self.shown if line is None else f"{self.shown}:{line}"


@dataclass(slots=True, kw_only=True)
class Sources:
    """All files read, what they say together, and the problems found so far."""

    main: Source
    environ: Mapping[str, str]
    plain: dict[str, object] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    whole: bool = True
    _owners: dict[KeyPath, Source] = field(default_factory=dict)
    _found: list[tuple[int, int, Problem]] = field(default_factory=list)

    def source_of(self, path: KeyPath) -> Source:
        """Return the file in which a key stands."""
        for length in range(len(path), 0, -1):
            owner = self._owners.get(path[:length])
            if owner is not None:
                return owner
        return self.main

    def origin_of(self, path: KeyPath) -> Origin:
        """Return what relative paths and variables mean where a key stands."""
        return Origin(self.source_of(path).path.parent, self.environ)

    def place_of(self, path: KeyPath) -> str:
        """Return file and line of a key."""
        return self.source_of(path).place(path)

    def blame(self, path: KeyPath, what: str, hint: str = "") -> None:
        """Record a problem with a key."""
        self._record(self.source_of(path), path, what, hint)

    @property
    def count(self) -> int:
        """Return how many problems were found so far."""
        return len(self._found)

    def problems(self) -> tuple[Problem, ...]:
        """Return every problem in the order of the files and their lines."""
        return tuple(problem for _, _, problem in sorted(self._found, key=lambda found: found[:2]))

    def include(self) -> None:
        """Read the files which the main file includes, in the order of their names."""
        patterns = self.plain.get("include", [])
        if not isinstance(patterns, list):
            return
        seen = {self.main.path.resolve()}
        for index, pattern in enumerate(patterns):
            for name in self._matches(pattern, ("include", index)):
                path = Path(name)
                if path.resolve() in seen or (path.exists() and not path.is_file()):
                    continue
                seen.add(path.resolve())
                self._include_file(path, ("include", index))

    def take(self, source: Source, plain: Mapping[str, object]) -> None:
        """Add what a file says to what the others said; nothing may be said twice."""
        for section, value in plain.items():
            if section == "include" and source is not self.main:
                self._record(source, ("include",), "only the main file may include others")
            else:
                self._merge(source, (section,), value, _depth(section))

    def _merge(self, source: Source, path: KeyPath, value: object, depth: int) -> None:
        known = self._lookup(path)
        if isinstance(value, dict) and isinstance(known, dict | None) and depth:
            self._table(path)
            self._owners.setdefault(path, source)
            for key, item in value.items():
                self._merge(source, (*path, key), item, depth - 1)
        elif known is None:
            self._table(path[:-1])[str(path[-1])] = value
            self._owners[path] = source
        else:
            name = ".".join(map(str, path))
            what = f"{name} is defined twice: here and at {self.place_of(path)}"
            self._record(source, path, what, "keep one of them")

    def _lookup(self, path: KeyPath) -> object:
        found: object = self.plain
        for key in path:
            found = found.get(str(key)) if isinstance(found, dict) else None
        return found

    def _table(self, path: KeyPath) -> dict[str, object]:
        table = self.plain
        for key in path:
            inner = table.setdefault(str(key), {})
            assert isinstance(inner, dict)
            table = inner
        return table

    def _matches(self, pattern: object, path: KeyPath) -> list[str]:
        if not isinstance(pattern, str):
            return []
        origin = self.origin_of(path)
        try:
            wanted = origin.expand(pattern)
        except Unfit:
            return []
        # The folder may bear characters that mean something in a pattern; only the person's own words do here.
        folder = Path(glob.escape(str(origin.folder)))
        names = sorted(glob.glob(Origin(folder, self.environ).resolve(wanted), recursive=True))
        if not names and not glob.has_magic(wanted):
            looked = f"looked at {origin.resolve(wanted)}"
            self.blame(path, f'include = "{pattern}": there is no such file', looked)
        return names

    def _include_file(self, path: Path, why: KeyPath) -> None:
        shown = _shown_beside(self.main, path)
        number = len(self.files)
        try:
            text = _text(path)
        except (OSError, UnicodeDecodeError) as error:
            self.blame(why, f"include: {shown} cannot be read: {_reason(error)}")
            self.whole = False
            return
        plain, problem = _parse(text, shown)
        self.files.append(path)
        source = Source(shown=shown, path=path, number=number, lines=key_lines(text))
        if problem is not None:
            self._found.append((number, 0, problem))
            self.whole = False
        self.take(source, plain)

    def _record(self, source: Source, path: KeyPath, what: str, hint: str = "") -> None:
        problem = Problem(place=source.place(path), what=what, hint=hint)
        self._found.append((source.number, line_of(source.lines, path) or 0, problem))


def read_sources(path: Path, environ: Mapping[str, str]) -> Sources | Problem:
    """Read the main file and what it includes; return the problem that makes the main file unreadable, if any."""
    shown = str(path)
    try:
        text = _text(path)
    except (OSError, UnicodeDecodeError) as error:
        return Problem(
            place=shown,
            what=f"cannot be read: {_reason(error)}",
            hint="name another file with -c, or create one with: holdfast init",
        )
    plain, problem = _parse(text, shown)
    if problem is not None:
        return problem
    absolute = path.expanduser().absolute()
    main = Source(shown=shown, path=absolute, number=0, lines=key_lines(text))
    sources = Sources(main=main, environ=environ, files=[absolute])
    sources.take(main, plain)
    sources.include()
    return sources


def _text(path: Path) -> str:
    return path.expanduser().read_bytes().decode("utf-8-sig")


def _parse(text: str, shown: str) -> tuple[dict[str, object], Problem | None]:
    try:
        return tomllib.loads(text), None
    except RecursionError:
        return {}, Problem(place=shown, what="not valid TOML: nested too deep")
    except ValueError as error:
        line, reason = syntax_fault(text, error)
        return {}, Problem(place=f"{shown}:{line}", what=f"not valid TOML: {reason}")


def _reason(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start}"
    return error.strerror or str(error)


def _depth(section: str) -> int:
    """Return how many levels of a section several files may fill together: its names or keys."""
    return 2 if section == "defaults" else 1


def _shown_beside(main: Source, path: Path) -> str:
    """Return `path` written the way the main file's path was."""
    try:
        return str(Path(main.shown).parent / path.relative_to(main.path.parent))
    except ValueError:
        return str(path)
