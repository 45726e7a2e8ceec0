"""Places inside a JSON value: named by a pointer or a dotted path, read, and changed on a copy."""

import json
import re

Path = tuple[str | int, ...]

_APPEND = "-"
_INDEX = re.compile(r"0|[1-9][0-9]*")
_STEP = re.compile(
    r'\[(?P<index>0|[1-9][0-9]*)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]|\.?(?P<key>[^.\[\]]+)'
)


class BadPath(ValueError):
    """A text is no path."""


class NoPlace(ValueError):
    """A value has no such place, or none that can be changed; the message names the place."""


def parse_path(text: str) -> Path:
    """Return the steps of a path; no steps mean the whole document.

    What begins with a slash is a pointer (RFC 6901): `/entries/0/a~1b`. Anything else is dotted:
    `entries.0.name`, `.entries[0]["a.b"]`. A text step is a key or an index, as the value has it;
    a number in brackets is an index only. The step `-` is the place after the last of an array.

    Raises:
        BadPath: it is neither.
    """
    if text in {"", "."}:
        return ()
    if text.startswith("/"):
        return tuple(_unescaped(step, text) for step in text[1:].split("/"))
    if "/" in text and '"' not in text:
        raise BadPath(
            f"{text!r} is half a pointer; begin it with a slash, or put a key that holds one in quotes"
        )
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        # Only the first key may stand without a dot: a[0]b is no path.
        if step is None or (at > 0 and step["key"] and text[at] != "."):
            raise BadPath(
                f"{text!r} is no path: {text[at:]!r} is not a step; write /a/b/0, a.b.0 or .a.b[0]"
            )
        steps.append(_step(step, text))
        at = step.end()
    return tuple(steps)


def _unescaped(step: str, text: str) -> str:
    if re.search(r"~(?![01])", step):
        raise BadPath(f"{text!r} is no path: write ~ as ~0 and / as ~1 inside a step")
    return step.replace("~1", "/").replace("~0", "~")


def _step(step: re.Match[str], text: str) -> str | int:
    if step["index"]:
        return int(step["index"])
    if step["quoted"] is None:
        return step["key"]
    try:
        return str(json.loads(step["quoted"]))
    except ValueError as error:
        raise BadPath(f"{text!r} is no path: {step['quoted']} is no JSON string") from error


def pointer(path: Path) -> str:
    """Return the pointer of a path (RFC 6901): "" is the whole document."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def get(value: object, path: Path) -> object:
    """Return what stands at a place.

    Raises:
        NoPlace: nothing does.
    """
    for at, step in enumerate(path):
        value = _child(value, step, path[:at])
    return value


def put(value: object, path: Path, new: object) -> object:
    """Return a copy of a value with `new` at a place; objects missing on the way are made, arrays never.

    Raises:
        NoPlace: the way leads through a scalar, or to an index the array does not have.
    """
    holders: list[object] = []
    made = False
    for at, step in enumerate(path):
        if made and (step == _APPEND or isinstance(step, int)):
            raise NoPlace(f"{_named(path[:at])} does not exist; put an array there first")
        holders.append(value)
        made = made or _is_open(value, step)
        last = at == len(path) - 1
        value = {} if made or last else _child(value, step, path[:at])
    for at in reversed(range(len(path))):
        new = _with(holders[at], path[at], new, path[:at])
    return new


def remove(value: object, path: Path) -> object:
    """Return a copy of a value without what stands at a place.

    Raises:
        NoPlace: nothing does, or it is the whole document.
    """
    if not path:
        raise NoPlace("the whole document cannot be removed; name a place inside it")
    get(value, path)
    above = path[:-1]
    holder = get(value, above)
    if isinstance(holder, dict):
        return put(value, above, {key: item for key, item in holder.items() if key != path[-1]})
    items = list(holder) if isinstance(holder, list) else []
    del items[int(path[-1])]
    return put(value, above, items)


def append(value: object, path: Path, new: object) -> object:
    """Return a copy of a value with `new` at the end of the array at a place.

    Raises:
        NoPlace: no array stands there.
    """
    array = get(value, path)
    if not isinstance(array, list):
        raise NoPlace(f"{_named(path)} is {_kind(array)}, not an array; nothing can be appended")
    return put(value, path, [*array, new])


def _child(value: object, step: str | int, above: Path) -> object:
    if isinstance(value, list):
        return value[_index(value, step, above)]
    if not isinstance(value, dict):
        raise NoPlace(f"{_named(above)} is {_kind(value)} and has nothing inside")
    if isinstance(step, int) or step not in value:
        raise NoPlace(f"{_named(above)} has no {step!r}; it has {_listed(list(value))}")
    return value[step]


def _is_open(value: object, step: str | int) -> bool:
    """Return whether an object may grow here; an array is never made, so its steps name no key."""
    return isinstance(value, dict) and isinstance(step, str) and step not in value


def _with(holder: object, step: str | int, new: object, above: Path) -> object:
    if isinstance(holder, list):
        if step == _APPEND:
            return [*holder, new]
        index = _index(holder, step, above)
        return [*holder[:index], new, *holder[index + 1 :]]
    if not isinstance(holder, dict):
        raise NoPlace(f"{_named(above)} is {_kind(holder)} and can hold nothing")
    if isinstance(step, int):
        raise NoPlace(f"{_named(above)} is an object and has no index {step}; name a key")
    return {**holder, step: new}


def _index(array: list[object], step: str | int, above: Path) -> int:
    if isinstance(step, str) and not _INDEX.fullmatch(step):
        raise NoPlace(f"{_named(above)} is an array; {step!r} is no index into it")
    index = int(step)
    if index >= len(array):
        raise NoPlace(
            f"{_named(above)} has {len(array)} items and no index {step}; append with {_APPEND!r}"
        )
    return index


def _named(path: Path) -> str:
    return pointer(path) or "the document"


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    words = ((str, "a string"), (dict, "an object"), (list, "an array"))
    return next((word for kind, word in words if isinstance(value, kind)), "a number")


def _listed(keys: list[str]) -> str:
    shown = ", ".join(repr(key) for key in keys[:8])
    return f"{shown} and {len(keys) - 8} more" if len(keys) > 8 else shown or "no keys"
