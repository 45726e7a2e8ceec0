"""One state file, read and changed under its lock: every change is made in memory, judged, and written whole."""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, TypeVar, Unpack, cast

from holdfast.errors import Conflict, Corrupt, InvalidContent, UsageError
from holdfast.statefile.content import Kind, fault, kind_of
from holdfast.statefile.draft import Order
from holdfast.statefile.durability import Durability
from holdfast.statefile.faults import io_error
from holdfast.statefile.intent import read_content
from holdfast.statefile.lock import LOCK_WAIT_S, Sidecar
from holdfast.statefile.metadata import version_of
from holdfast.statefile.place import Place, StrPath, open_place
from holdfast.statefile.system.ops import Ops
from holdfast.statefile.system.this import SYSTEM
from holdfast.statefile.write import Result, encoded, make_durable, refuse_surprise, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdfast.statefile.markdown import SectionMode
    from holdfast.statefile.recovery.inspect import Report
    from holdfast.statefile.recovery.recover import Recovery

_REQUIRED = object()
_T = TypeVar("_T")


class Guard(TypedDict, total=False):
    """What every change takes: `expect` is the SHA-256 in hex the caller knows, or `absent`; a dry run writes nothing."""

    expect: str | None
    dry_run: bool


class JqOptions(Guard, total=False):
    """How a jq filter is run; see `StateFile.jq`."""

    args: Mapping[str, object]
    within: float
    allow_lossy: bool
    allow_type_change: bool


class KeyOptions(Guard, total=False):
    """Where a key is looked for; see `StateFile.set_key`."""

    within: str | None
    every: bool
    create: bool


class PartOptions(Guard, total=False):
    """Where a section is looked for; see `StateFile.set_section`."""

    mode: "SectionMode"
    within: str | None
    create: bool
    shallow: bool


class Policy(NamedTuple):
    """How a file is written each time."""

    durability: Durability
    backups: int
    follow: bool
    wait_for: float


class StateFile:
    """A JSON, Markdown or text file that many processes change and no crash tears.

    Each changing method reads, changes and writes under the lock of the file, so that no update is
    lost; it writes nothing when nothing changes, and leaves the file as it was when anything is
    wrong. `kind` says what the file must hold; without it its name does.

    All of them raise:
        InvalidContent: the change cannot be made, or would leave what is not of the file's kind.
        Conflict: the file is not what `expect` says.
        Corrupt: what stands there is not what it should be; it is left as it is, see `recover`.
        FileNotFoundError: there is none, and the change needs one.
        LockTimeout, CommittedNotDurable, StateIOError: as `write_atomic`.
    """

    def __init__(  # noqa: PLR0913 - each keyword is a promise of its own, and all have defaults
        self,
        path: StrPath,
        *,
        kind: Kind | None = None,
        durability: Durability = Durability.FULL,
        backups: int = 0,
        follow: bool = True,
        wait_for: float = LOCK_WAIT_S,
        ops: Ops = SYSTEM,
    ) -> None:
        self.path = os.fspath(path)
        self.kind = kind or kind_of(os.path.basename(self.path))
        self._policy = Policy(durability, backups, follow, wait_for)
        self._ops = ops

    def read(self) -> Any:
        """Return the value of a JSON file, or the text of another, without taking the lock."""
        content = self._content()
        if self.kind is Kind.JSON:
            return self._document(content).value
        return self._text(content)

    def version(self) -> str:
        """Return the SHA-256 of the content in hex, as `expect` takes it, or `absent`."""
        try:
            return version_of(self._content())
        except FileNotFoundError:
            return version_of(None)

    def write(self, value: object, **guard: Unpack[Guard]) -> Result:
        """Replace the whole content: a value for a JSON file, text for another; the file may be new."""
        return self._change(lambda old: self._whole(old, value), is_new=True, **guard)

    def update(
        self,
        change: Callable[[Any], object],
        *,
        initial: object = _REQUIRED,
        **guard: Unpack[Guard],
    ) -> Result:
        """Give the value, or the text, to a function and write what it returns; `initial` where there is no file.

        The function runs under the lock: it must not wait for another writer of this file. What it
        raises is passed on, and nothing is written.
        """
        is_new = initial is not _REQUIRED
        if self.kind is Kind.JSON:
            returning = partial(self._returned, change)
            return self._rewrite(returning, initial=initial, **guard)
        return self._change(
            lambda old: self._whole(old, change(initial if old is None else self._text(old))),
            is_new=is_new,
            **guard,
        )

    def _returned(self, change: Callable[[Any], object], old: Any) -> object:
        was = old is None
        new = change(old)
        if new is None and not was:
            raise InvalidContent(
                f"the function for {self.path} returned nothing; it must return the new value; the file is as it was",
                path=self.path,
            )
        return new

    def set(self, at: str, value: object, **guard: Unpack[Guard]) -> Result:
        """Set one value of a JSON file; `at` is `/a/b/0` or `a.b[0]`. Objects on the way are made."""
        from holdfast.statefile.jsondoc import pointer

        path = self._refused(pointer.parse_path, at)
        return self._rewrite(lambda old: self._refused(pointer.put, old, path, value), **guard)

    def append(self, at: str, value: object, **guard: Unpack[Guard]) -> Result:
        """Append to one array of a JSON file."""
        from holdfast.statefile.jsondoc import pointer

        path = self._refused(pointer.parse_path, at)
        return self._rewrite(lambda old: self._refused(pointer.append, old, path, value), **guard)

    def delete(self, at: str, **guard: Unpack[Guard]) -> Result:
        """Remove one value of a JSON file."""
        from holdfast.statefile.jsondoc import pointer

        path = self._refused(pointer.parse_path, at)
        return self._rewrite(lambda old: self._refused(pointer.remove, old, path), **guard)

    def merge(self, patch: object, **guard: Unpack[Guard]) -> Result:
        """Merge a patch into a JSON file: null removes, objects merge, all else replaces (RFC 7396)."""
        from holdfast.statefile.jsondoc.merge import merge

        return self._rewrite(lambda old: self._refused(merge, old, patch), **guard)

    def jq(self, program: str, **options: Unpack[JqOptions]) -> Result:
        """Replace a JSON document by the one value a jq filter gives.

        `args` are its `$names`. It runs without environment, for `within` seconds at most. Numbers
        jq would round are kept, or refused where the filter moved them, unless `allow_lossy`; another
        type of document needs `allow_type_change`.
        """
        from holdfast.statefile.jsondoc.jq import filtered
        from holdfast.statefile.jsondoc.text import render

        guard, how = _parted(options)

        def change(old: bytes | None) -> bytes:
            document = self._document(old)
            value = filtered(self._text(old), program, path=self.path, **how)
            return self._encoded(self._refused(render, value, document.style))

        return self._change(change, is_new=False, only=Kind.JSON, **guard)

    def set_key(self, key: str, value: str, **options: Unpack[KeyOptions]) -> Result:
        """Give the one line `Key: value` of a text another value; all other bytes stay."""
        from holdfast.statefile import markdown

        guard, how = _parted(options)
        return self._edit(lambda old: markdown.set_key(old, key, value, **how), **guard)

    def set_section(self, heading: str, text: str = "", **options: Unpack[PartOptions]) -> Result:
        """Replace the text below one heading, or append, prepend or delete as `mode` says; all other bytes stay."""
        from holdfast.statefile import markdown

        guard, how = _parted(options)
        return self._edit(lambda old: markdown.set_section(old, heading, text, **how), **guard)

    def inspect(self) -> "Report":
        """Tell what stands there: the file, temps, backups, evidence. Changes nothing."""
        from holdfast.statefile.recovery.inspect import inspect

        return inspect(self.path, ops=self._ops)

    def recover(self, *, dry_run: bool = False, use: str | None = None) -> "Recovery":
        """Mend what crashes left; see `holdfast.statefile.recovery.recover`."""
        from holdfast.statefile.recovery.recover import recover

        return recover(self.path, dry_run=dry_run, use=use, ops=self._ops)

    def _content(self) -> bytes:
        """Return the content, as a reader sees it who needs no lock."""
        with (
            self._told("read"),
            open_place(self.path, follow=self._policy.follow, ops=self._ops) as place,
        ):
            content = read_content(place.folder, place.name, self._ops)
        if content is None:
            raise self._missing()
        return content

    def _missing(self) -> FileNotFoundError:
        import errno

        return FileNotFoundError(errno.ENOENT, "there is no such file; write it first", self.path)

    def _rewrite(
        self,
        change: Callable[[Any], object],
        *,
        initial: object = _REQUIRED,
        **guard: Unpack[Guard],
    ) -> Result:
        """Change the value of a JSON document, and keep the way it is written."""
        from holdfast.statefile.jsondoc.text import render

        def changed(old: bytes | None) -> bytes:
            if old is None:
                return self._whole(None, change(initial))
            document = self._document(old)
            value = change(document.value)
            return self._encoded(self._refused(render, value, document.style))

        return self._change(changed, is_new=initial is not _REQUIRED, only=Kind.JSON, **guard)

    def _edit(self, change: Callable[[str], str], **guard: Unpack[Guard]) -> Result:
        """Change a part of a text."""

        def changed(old: bytes | None) -> bytes:
            return self._encoded(self._refused(change, self._text(old)))

        return self._change(changed, is_new=False, only=Kind.TEXT, **guard)

    def _whole(self, old: bytes | None, value: object) -> bytes:
        if self.kind is not Kind.JSON:
            if not isinstance(value, str | bytes):
                raise InvalidContent(
                    f"{self.path} is to hold text, not {type(value).__name__}; nothing was written",
                    path=self.path,
                )
            return encoded(value, self.path)
        from holdfast.statefile.jsondoc.text import READABLE, NotJson, parse, render

        style = READABLE
        if old is not None:
            try:
                style = parse(self._text(old)).style
            except (NotJson, Corrupt):
                style = READABLE  # what is replaced whole need not be whole itself
        return self._encoded(self._refused(render, value, style))

    def _change(
        self,
        change: Callable[[bytes | None], bytes],
        *,
        is_new: bool,
        only: Kind | None = None,
        expect: str | None = None,
        dry_run: bool = False,
    ) -> Result:
        if only is not None and self.kind is not only:
            raise UsageError(
                f"{self.path} is a {self.kind.value} file by its name, and this is for "
                f"{only.value} files; say kind=Kind.{only.name} if it is one"
            )
        with self._held(is_locked=not dry_run) as place:
            with self._told("read"):
                old = read_content(place.folder, place.name, place.ops)
            if expect is not None:
                refuse_surprise(place, expect, version_of(old))
            if old is None and not is_new:
                raise self._missing()
            new = change(old)
            self._refuse_unfit(new)
            if dry_run:
                return self._unchanged(place, new, is_synced=False)
            return self._written(place, old, new)

    def _written(self, place: Place, old: bytes | None, new: bytes) -> Result:
        with self._told("changed"):
            if read_content(place.folder, place.name, place.ops) != old:
                raise Conflict(
                    f"{self.path} was written inside its own change, by the function or by a signal handler; "
                    "that write stands and this one was not made",
                    path=self.path,
                )
            if new == old:
                return self._unchanged(place, new, is_synced=True)
            order = Order(new, self._policy.durability, backups=self._policy.backups)
            return replace(place, order)

    def _unchanged(self, place: Place, content: bytes, *, is_synced: bool) -> Result:
        """Make what stands there already as durable as was asked for; an earlier write may have asked for less."""
        wanted = self._policy.durability
        achieved = make_durable(place, wanted) if is_synced else wanted
        return Result(self.path, content, wanted, achieved, written=False)

    @contextmanager
    def _held(self, *, is_locked: bool) -> "Iterator[Place]":
        policy = self._policy
        with ExitStack() as stack:
            with self._told("changed"):
                place = open_place(self.path, follow=policy.follow, ops=self._ops)
                stack.enter_context(place)
                if is_locked:
                    stack.enter_context(Sidecar(place, wait_for=policy.wait_for))
            yield place

    @contextmanager
    def _told(self, doing: str) -> "Iterator[None]":
        """Tell what the system refuses; what a function of the caller raises is not for this."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise io_error(error, self.path, doing) from error

    def _refuse_unfit(self, content: bytes) -> None:
        why = fault(content, self.kind)
        if why is not None:
            raise InvalidContent(
                f"{self.path} would not be a whole {self.kind.value} file: {why}; it is as it was",
                path=self.path,
            )

    def _document(self, content: bytes | None) -> Any:
        from holdfast.statefile.jsondoc.text import NotJson, parse

        text = self._text(content)
        try:
            return parse(text)
        except NotJson as error:
            raise self._corrupt("one JSON document", str(error)) from error

    def _text(self, content: bytes | None) -> str:
        try:
            return cast("bytes", content).decode()
        except UnicodeDecodeError as error:
            raise self._corrupt("UTF-8 text", f"byte {error.start} is none") from error

    def _corrupt(self, wanted: str, why: str) -> Corrupt:
        return Corrupt(
            f"{self.path} should hold {wanted}, but {why}; it was left as it is; "
            f"look at it, then: holdfast state recover {self.path}",
            path=self.path,
        )

    def _encoded(self, text: str) -> bytes:
        return encoded(text, self.path)

    def _refused(self, act: Callable[..., _T], *facts: object, **named: object) -> _T:
        """Do it, and say of what it refuses that the file is as it was."""
        try:
            return act(*facts, **named)
        except ValueError as error:
            raise InvalidContent(
                f"{self.path}: {error}; it is as it was", path=self.path
            ) from error


def _parted(options: Mapping[str, Any]) -> tuple[Guard, dict[str, Any]]:
    """Part what guards a change from what says how it is made."""
    guard = {name: options[name] for name in options if name in Guard.__annotations__}
    return cast("Guard", guard), {name: options[name] for name in options if name not in guard}
