"""`holdfast state json|set|append|delete|merge`: change one file, whole or not at all."""

import argparse
from collections.abc import Callable

from holdfast.cli.state import outcome, terms
from holdfast.errors import InvalidContent
from holdfast.statefile.content import Kind
from holdfast.statefile.faults import io_error
from holdfast.statefile.jsondoc.text import NotJson, parse
from holdfast.statefile.state import Guard
from holdfast.statefile.write import Result

_WHOLE = frozenset({"", "."})  # the paths without steps
_TYPES: tuple[tuple[type, str], ...] = (
    (dict, "an object"),
    (list, "an array"),
    (str, "a string"),
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
)


def changed(options: argparse.Namespace, change: Callable[[Guard], Result]) -> int:
    """Make a change and tell of it."""
    result = change(terms.guard(options))
    return outcome.tell(options, result, _old(result.path) if options.dry_run else None)


def _old(path: str) -> bytes | None:
    """Return what a dry run would replace."""
    try:
        with open(path, "rb") as source:
            return source.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise io_error(error, path, "read") from error


def json(options: argparse.Namespace) -> int:
    """Change a JSON file by a jq filter."""
    file = terms.state_file(options, Kind.JSON)
    args: dict[str, object] = dict(options.arg)
    args |= {
        name: _document(options.path, f"--argjson {name}", text) for name, text in options.argjson
    }
    return changed(
        options,
        lambda guard: file.jq(
            options.filter,
            args=args,
            allow_lossy=options.allow_lossy,
            allow_type_change=options.allow_type_change,
            **guard,
        ),
    )


def set_value(options: argparse.Namespace) -> int:
    """Set one value of a JSON file.

    Raises:
        InvalidContent: the whole document was named.
    """
    _refuse_whole(options)
    file = terms.state_file(options, Kind.JSON)
    return changed(options, lambda guard: file.set(options.at, _value(options), **guard))


def _refuse_whole(options: argparse.Namespace) -> None:
    """Refuse a path that is the whole document; mostly it is a variable that holds nothing.

    Raises:
        InvalidContent: it is one, and no change of type is allowed.
    """
    if options.at in _WHOLE and not options.allow_type_change:
        raise InvalidContent(
            f"the PATH {options.at!r} is the whole document, which VALUE would replace; {options.path} is as "
            "it was; name a place inside it, or say --allow-type-change",
            path=options.path,
        )


def append(options: argparse.Namespace) -> int:
    """Append one value to an array of a JSON file."""
    file = terms.state_file(options, Kind.JSON)
    return changed(options, lambda guard: file.append(options.at, _value(options), **guard))


def delete(options: argparse.Namespace) -> int:
    """Remove one value of a JSON file."""
    file = terms.state_file(options, Kind.JSON)
    return changed(options, lambda guard: file.delete(options.at, **guard))


def merge(options: argparse.Namespace) -> int:
    """Merge a patch from stdin into a JSON file."""
    file = terms.state_file(options, Kind.JSON)
    patch = _document(options.path, "the patch on stdin", terms.stdin_text(options.path))
    if options.allow_type_change:
        return changed(options, lambda guard: file.merge(patch, **guard))
    return changed(
        options, lambda guard: file.update(lambda old: _merged(options.path, old, patch), **guard)
    )


def _merged(path: str, old: object, patch: object) -> object:
    """Return a document with a patch merged in.

    Raises:
        InvalidContent: it would become another type, or the patch cannot be merged.
    """
    from holdfast.statefile.jsondoc.merge import merge as merged_into

    try:
        new = merged_into(old, patch)
    except NotJson as error:
        raise InvalidContent(f"{path} is as it was: {error}", path=path) from error
    before, after = _type(old), _type(new)
    if before != after:
        raise InvalidContent(
            f"the patch would make {after} of {before}; {path} is as it was; change the patch, or "
            "say --allow-type-change",
            path=path,
        )
    return new


def _type(value: object) -> str:
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "null")


def _value(options: argparse.Namespace) -> object:
    """Return what a word means: JSON when it is one whole document, else itself."""
    text: str = options.value
    if options.string:
        return text
    try:
        return parse(text).value
    except NotJson:
        return text


def _document(path: str, what: str, text: str) -> object:
    try:
        return parse(text).value
    except NotJson as error:
        raise InvalidContent(
            f"{what} should be one JSON document, but {error}; {path} is as it was", path=path
        ) from error
