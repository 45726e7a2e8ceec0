"""Frozen values to JSON and back, field by field, so that records and messages need no second description."""

import dataclasses
import enum
import functools
import math
import types
import typing
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


def to_plain(value: object) -> object:
    """Return what `json` can write: dataclasses become objects, tuples lists, enums their values.

    Raises:
        TypeError: the value, or one inside it, has no JSON form.
    """
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return {name: to_plain(getattr(value, name)) for name in _names(cast("Any", type(value)))}


def from_plain(kind: type[T], plain: object) -> T:
    """Return the dataclass `kind` that `plain` describes.

    Unknown fields are passed over and missing ones take their default, so older and newer versions read each other.

    Raises:
        ValueError: a field without a default is missing, or a value is of the wrong kind.
    """
    if not isinstance(plain, dict):
        raise ValueError(f"{kind.__name__}: expected an object, found {type(plain).__name__}")  # noqa: TRY004 - bad content, not a bad call
    readers = _readers(cast("Any", kind))
    values = {
        name: _read(kind, name, read, plain[name])
        for name, read in readers.items()
        if name in plain
    }
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from error


def _read(kind: Any, name: str, read: Callable[[object], object], plain: object) -> object:
    try:
        return read(plain)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{kind.__name__}.{name}: {error}") from error


@functools.cache
def _names(kind: Any) -> tuple[str, ...]:
    if not dataclasses.is_dataclass(kind):
        raise TypeError(f"{kind.__name__} has no JSON form")
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _readers(kind: Any) -> dict[str, Callable[[object], object]]:
    hints = typing.get_type_hints(kind)
    return {name: _reader(hints[name]) for name in _names(kind)}


def _reader(hint: Any) -> Callable[[object], object]:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = _reader(next(option for option in arguments if option is not types.NoneType))
        return lambda plain: None if plain is None else inner(plain)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda plain: tuple(item(one) for one in _expect(list, plain))
    if origin is dict:
        item = _reader(arguments[1])
        return lambda plain: {str(key): item(one) for key, one in _expect(dict, plain).items()}
    if dataclasses.is_dataclass(hint):
        return functools.partial(from_plain, cast("type[Any]", hint))
    if issubclass(hint, enum.Enum):
        return cast("type[enum.Enum]", hint)
    if hint is float:
        return _number
    return lambda plain: _expect(hint, plain)


def _number(plain: object) -> float:
    number = float(_expect(int | float, plain))
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, found {plain!r}")
    return number


def _expect(kind: Any, plain: object) -> Any:
    is_bool_for_number = isinstance(plain, bool) and kind in (int, int | float)
    if is_bool_for_number or not isinstance(plain, kind):
        raise TypeError(f"expected {getattr(kind, '__name__', kind)}, found {plain!r}")
    return plain
