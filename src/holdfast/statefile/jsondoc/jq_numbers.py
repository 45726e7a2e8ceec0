"""Tell the numbers a jq program passed on from those it calculated, and give the first their text back."""

import re
import sys
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from holdfast.statefile.jsondoc.pointer import Path, pointer
from holdfast.statefile.jsondoc.value import Literal, NotJson, decode

# Beyond it a double leaves out integers (IEEE 754), and jq calculates in doubles.
_EXACT_UP_TO = 2**53
_LARGEST = Decimal(repr(sys.float_info.max))  # what jq makes of anything larger
_IN_PROGRAM = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


class Doubtful(ValueError):
    """A number in a result may have been rounded; the message says which and where."""


class Numbers:
    """The odd numbers a program was given, by value: those jq cannot calculate with, or writes in its own way.

    `rounded` holds what stands in their place once jq did calculate with them.
    """

    __slots__ = ("_known", "_rounded")

    def __init__(self, given: object, program: str) -> None:
        self._known: dict[Decimal, object] = {}
        self._rounded: set[Decimal] = set()
        for number in [*_odd(given), *_odd(list(_written(program)))]:
            exact = _exact(number)
            double = _exact(float(repr(number)))
            self._known.setdefault(exact, number)
            if double != exact:
                self._rounded.add(abs(double))

    def restored(self, new: object, old: object, *, strict: bool) -> object:
        """Return a result in which every number that was passed on is written as it was.

        Raises:
            Doubtful: when strict, for a number that came from, or grew to, what a double cannot hold.
        """
        return self._restored(new, old, () if strict else None)

    def _restored(self, new: object, old: object, path: Path | None) -> object:
        if isinstance(new, dict):
            members = old if isinstance(old, dict) else {}
            return {
                key: self._restored(value, members.get(key), _below(path, key))
                for key, value in new.items()
            }
        if isinstance(new, list):
            items = [*(old if isinstance(old, list) else ()), *[None] * len(new)]
            pairs = enumerate(zip(new, items, strict=False))
            return [self._restored(value, item, _below(path, at)) for at, (value, item) in pairs]
        if isinstance(new, (int, float)) and not isinstance(new, bool):
            return self._number(new, old, path)
        return new

    def _number(self, new: float, old: object, path: Path | None) -> object:
        if _is_plain(new) and type(new) is type(old) and new == old:
            return old
        exact = _exact(new)
        if isinstance(old, (int, float)) and not isinstance(old, bool) and _exact(old) == exact:
            return old
        if path is not None:
            self._refuse_doubtful(exact, new, path)
        return self._known.get(exact, new)

    def _refuse_doubtful(self, exact: Decimal, new: float, path: Path) -> None:
        calculated = exact not in self._known and -exact not in self._known
        beyond = abs(exact) > _EXACT_UP_TO and exact == exact.to_integral_value()
        if abs(exact) in self._rounded or (calculated and beyond):
            raise Doubtful(
                f"{new!r} at {pointer(path) or 'the top'} may have been rounded, since jq calculates "
                "in doubles; set such a number without jq, or allow lossy numbers"
            )


def _below(path: Path | None, step: str | int) -> Path | None:
    return None if path is None else (*path, step)


def _odd(value: object) -> Iterator[float]:
    """Yield the numbers in a value that jq would round, or write in another way."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _odd(item)
    elif isinstance(value, (int, float)) and not _is_plain(value):
        yield value


def _is_plain(number: float) -> bool:
    return not isinstance(number, Literal) and abs(number) <= _EXACT_UP_TO


def _written(program: str) -> Iterator[object]:
    """Yield the numbers in the text of a program; one in a string among them does no harm."""
    for text in _IN_PROGRAM.findall(program):
        try:
            yield decode(text)
        except NotJson:
            continue


def _exact(number: float) -> Decimal:
    """Return what a number says, not what a double makes of it; an infinite one is as large as jq has it."""
    try:
        exact = Decimal(repr(number))
    except InvalidOperation:  # more digits in its exponent than any computer has places for
        exact = Decimal(repr(float(number)))
    if exact.is_finite():
        return exact
    return _LARGEST.copy_sign(exact)
