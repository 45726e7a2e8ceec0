"""What a kind of value is, and the plain ones: text, true or false, numbers, choices."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast

from holdfast.config.origin import Origin
from holdfast.config.unfit import Unfit


def _as_it_is(value: Any) -> object:
    return value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """One kind of value.

    `expected` names it to a person, `schema` to an editor; `read` turns what stands in the file into the value and
    raises Unfit, `show` is its inverse and `none` the word for nothing. A `secret` is never repeated in a message.
    """

    expected: str
    schema: Mapping[str, object]
    read: Callable[[object, Origin], object]
    show: Callable[[Any], object] = _as_it_is
    none: str | None = None
    secret: bool = False


def text(plain: object, origin: Origin) -> str:
    """Return a string with its variables filled in."""
    return origin.expand(raw_text(plain))


def raw_text(plain: object) -> str:
    """Return a string as it stands in the file."""
    if not isinstance(plain, str):
        raise Unfit
    return plain


def filled_text(plain: object, origin: Origin) -> str:
    """Return a string that is not empty."""
    value = text(plain, origin)
    if not value.strip():
        raise Unfit("empty")
    return value


def parsed(parse: Callable[[str], object]) -> Callable[[object, Origin], object]:
    """Return a reader of strings which `parse` understands."""
    return lambda plain, origin: parse(text(plain, origin))


def whole(*, least: int = 0, most: int | None = None) -> Kind:
    """Return the kind of whole numbers from `least` to `most`."""
    upper = {} if most is None else {"maximum": most}
    span = f"of at least {least}" if most is None else f"from {least} to {most}"

    def read(plain: object, _origin: Origin) -> int:
        if type(plain) is not int or plain < least or (most is not None and plain > most):
            raise Unfit
        return plain

    return Kind(
        expected=f"a whole number {span}",
        schema={"type": "integer", "minimum": least, **upper},
        read=read,
    )


def choice(options: type[enum.StrEnum]) -> Kind:
    """Return the kind whose values are those of an enum."""
    allowed = [option.value for option in options]

    def read(plain: object, origin: Origin) -> enum.StrEnum:
        value = text(plain, origin)
        if value not in allowed:
            raise Unfit
        return options(value)

    def show(value: Any) -> object:
        return cast("enum.StrEnum", value).value

    return Kind(
        expected="one of " + ", ".join(f'"{value}"' for value in allowed),
        schema={"enum": allowed},
        read=read,
        show=show,
    )


def _read_flag(plain: object, _origin: Origin) -> bool:
    if not isinstance(plain, bool):
        raise Unfit
    return plain


TEXT = Kind(expected="a string", schema={"type": "string"}, read=text)
FILLED = Kind(
    expected="a string that is not empty",
    schema={"type": "string", "minLength": 1},
    read=filled_text,
)
FLAG = Kind(expected="true or false", schema={"type": "boolean"}, read=_read_flag)

Text = Annotated[str, TEXT]
Filled = Annotated[str, FILLED]
Flag = Annotated[bool, FLAG]
Count = Annotated[int, whole(least=1, most=1_000_000)]
