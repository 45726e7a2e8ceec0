"""Filter a JSON text with jq: in a confined child, to exactly one value, with no number changed unseen."""

import math
import re
import signal
from collections.abc import Mapping
from typing import TypedDict, Unpack

from holdfast.errors import Corrupt, InvalidContent
from holdfast.statefile.faults import io_error
from holdfast.statefile.jsondoc.jq_child import (
    COUNT,
    COUNTED_AT_MOST,
    MISSING,
    REFUSED,
    Request,
    opened,
)
from holdfast.statefile.jsondoc.jq_numbers import Doubtful, Numbers
from holdfast.statefile.jsondoc.jq_process import TIMER, ask
from holdfast.statefile.jsondoc.text import COMPACT, NotJson, parse, render
from holdfast.statefile.jsondoc.value import MARK

WITHIN_S = 5.0

# What jq puts around its words about a program.
_FRAME = re.compile(r"\Ajq: error: |\n+jq: \d+ compile errors?\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class FilterOptions(TypedDict, total=False):
    """How a program runs: `args` are the values of its `$name`s, `within` is in seconds."""

    args: Mapping[str, object]
    within: float
    allow_lossy: bool
    allow_type_change: bool


def filtered(
    text: str, program: str, *, path: str = "the document", **options: Unpack[FilterOptions]
) -> object:
    """Return the one value that a jq program makes of a JSON text; `path` is for messages only.

    Numbers the program only passes on keep their text. It sees no environment, and the kernel ends it
    after `within` (5) seconds.

    Raises:
        Corrupt: the text is not one JSON document.
        InvalidContent: jq refused the program or failed, took too long or is not installed; it gave no
            value or several; a number may have been rounded (unless `allow_lossy`), or the document
            became another type (unless `allow_type_change`).
        StateIOError: no child could be started.
    """
    try:
        old = parse(text).value
    except NotJson as error:
        raise Corrupt(
            f"{path} should hold one JSON document, but {error}; it was left as it is", path=path
        ) from error
    try:
        return _changed(text, old, program, options)
    except (_Unusable, Doubtful) as error:
        raise InvalidContent(f"{path} was not changed: {error}", path=path) from error
    except RecursionError as error:
        raise InvalidContent(
            f"{path} was not changed: it is nested too deeply", path=path
        ) from error
    except OSError as error:
        raise io_error(error, path, "filtered") from error


class _Unusable(ValueError):
    """Nothing came of a program; the message says why."""


def _changed(text: str, old: object, program: str, options: FilterOptions) -> object:
    args = dict(options.get("args", {}))
    within = options.get("within", WITHIN_S)
    _refuse_input(program, args, within)
    try:
        request = Request(program, text.removeprefix(MARK), render(args, COMPACT), within)
    except NotJson as error:
        raise _Unusable(f"an argument cannot be given to jq: {error}") from error
    strict = not options.get("allow_lossy", False)
    result = Numbers([old, args], program).restored(_asked(request), old, strict=strict)
    before, after = _type(old), _type(result)
    if before != after and not options.get("allow_type_change", False):
        raise _Unusable(
            f"the filter made {after} of {before}; change the filter, or allow a change of type"
        )
    return result


def _refuse_input(program: str, args: Mapping[str, object], within: float) -> None:
    if not (within > 0 and math.isfinite(within)):
        raise _Unusable(f"a filter cannot end within {within!r} s; give it a time above zero")
    if "\0" in program:
        raise _Unusable("the filter holds NUL, where jq would stop reading it")
    try:
        program.encode()
    except UnicodeEncodeError as error:
        raise _Unusable("the filter is not valid Unicode") from error
    for name in args:
        if not _NAME.fullmatch(name):
            raise _Unusable(
                f"an argument cannot be named {name!r}; use letters, digits and underscores"
            )


def _asked(request: Request) -> object:
    try:
        frame, ended_by = ask(request)
    except ImportError as error:
        raise _missing(error) from error
    answer = opened(frame)
    if answer is None:
        raise _Unusable(_death(ended_by, request.within))
    kind, body = answer
    if kind == MISSING:
        raise _missing(body)
    if kind == REFUSED:
        raise _Unusable(f"jq said: {_FRAME.sub('', body).strip()}")
    if kind == COUNT:
        raise _Unusable(_count(int(body)))
    try:
        return parse(body).value
    except NotJson as error:
        # Beyond some 256 levels jq writes a remark in place of a value.
        raise _Unusable(f"the filter gave what is no JSON: {error}") from error


def _missing(error: object) -> _Unusable:
    return _Unusable(f"filters need jq, which cannot be loaded ({error}); pip install jq")


def _death(ended_by: int, within: float) -> str:
    if ended_by == TIMER:
        return f"the filter did not end within {within:g} s; simplify it or give it more time"
    name = signal.strsignal(ended_by) if ended_by else None
    return (
        f"the filter's process ended without an answer ({name or 'cause unknown'}); "
        "it may have taken too much memory; simplify it"
    )


def _count(count: int) -> str:
    if count == 0:
        return "the filter gave no value; it must give exactly one"
    many = f"more than {COUNTED_AT_MOST}" if count > COUNTED_AT_MOST else str(count)
    return f"the filter gave {many} values; it must give exactly one: collect them with [...]"


def _type(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "a boolean"
    words = ((str, "a string"), (dict, "an object"), (list, "an array"))
    return next((word for kind, word in words if isinstance(value, kind)), "a number")
