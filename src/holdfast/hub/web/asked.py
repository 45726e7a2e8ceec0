"""What one call of the API is: who may make it, what it carries, what it does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from holdfast.errors import UsageError
from holdfast.hub.access import Scope, Token
from holdfast.hub.parts import Parts

LONGEST_SPAN_S = 100 * 366 * 86_400.0
"""Seconds of the longest span that may be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that was let in: the parts of its path, its query, its body, and the token that allowed it."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    token: Token | None = None

    @property
    def by(self) -> str:
        """Return who asks, as events tell it."""
        return self.token.name if self.token else ""

    def number(self, name: str, otherwise: int, most: int) -> int:
        """Return a whole number of the query.

        Raises:
            UsageError: it is no number from 0 to `most`.
        """
        return whole(name, self.query.get(name, str(otherwise)), most)

    def flag(self, name: str) -> bool:
        """Tell whether the query sets a switch."""
        return self.query.get(name, "") in {"1", "true", "yes"}


Act: TypeAlias = Callable[[Parts, Asked], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One row of the API. `scope` is what a token needs, None for everybody; `body` the struct its JSON must be.

    `query` names what may stand behind the `?`, each with its meaning. `status` is that of success.
    """

    method: str
    path: str
    scope: Scope | None
    act: Act
    summary: str
    answers: str
    body: type | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """An answer that is no JSON."""

    content: str
    media_type: str = "text/plain; charset=utf-8"
    status: int = 200


def whole(name: str, text: str, most: int) -> int:
    """Return a whole number.

    Raises:
        UsageError: it is none from 0 to `most`.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise UsageError(f"{name} is {text!r}; expected a whole number from 0 to {most}")
    return int(text)


def span(name: str, seconds: float | None) -> float | None:
    """Return a number of seconds; None where none was given.

    Raises:
        UsageError: it is none from 0 to a century, after which years cannot be written down.
    """
    if seconds is not None and not 0 <= seconds <= LONGEST_SPAN_S:
        raise UsageError(f"{name} is {seconds}; expected seconds from 0 to {LONGEST_SPAN_S:.0f}")
    return seconds
