"""Who may ask the hub for what: tokens, of which only the hash is kept, and logins that work once."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from holdfast.clock import utc_text
from holdfast.errors import UnknownName, UsageError
from holdfast.hub.store.interface import Row, Tx
from holdfast.model.service import Now

PREFIX = "hf_"
"""How every secret of the hub begins, so that scanners find one that was published."""

LONGEST_NAME = 200
"""Characters of the name of a token."""

LONGEST_LIFE_S = 100 * 366 * 86_400.0
"""Seconds a token may count: the year it ends has to have four digits."""

LOGIN_LASTS_S = 60.0
SESSION_LASTS_S = 7 * 86_400.0

_TOKEN, _SESSION = "token", "session"


class Scope(StrEnum):
    """What a token is good for."""

    READ = "read"
    PING = "ping"
    AGENT = "agent"
    MACHINE = "machine"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of a token, without its secret."""

    id: int
    name: str
    scopes: frozenset[Scope]
    made_at: float
    expires_at: float | None = None
    revoked_at: float | None = None

    def allows(self, scope: Scope) -> bool:
        """Tell whether it is good for this; `admin` is good for everything."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def is_valid(self, at: float) -> bool:
        """Tell whether it counts at this moment."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def create(
    tx: Tx,
    secret: str,
    now: Now,
    *,
    name: str,
    scopes: Iterable[Scope],
    expires_at: float | None = None,
) -> Token:
    """Let a secret in; it comes from `keys.new_secret` and is shown to its owner once.

    Raises:
        UsageError: it has no scope, no proper name or no proper end, or the secret is known already.
    """
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise UsageError(
            f"a token is named by 1 to {LONGEST_NAME} characters that can be printed, not by {name[:LONGEST_NAME]!r}"
        )
    if expires_at is not None and not now.wall < expires_at <= now.wall + LONGEST_LIFE_S:
        raise UsageError("a token counts for more than no time and at most for a century")
    added = _add(tx, secret, now, (_TOKEN, name, frozenset(scopes), expires_at))
    if added is None:
        raise UsageError("this secret is known already; draw a new one")
    return added


def adopt(tx: Tx, secret: str, now: Now, *, name: str, scopes: Iterable[Scope]) -> Token:
    """Let a secret in that may be known already, and return what is known of it, also when it was revoked."""
    added = _add(tx, secret, now, (_TOKEN, name, frozenset(scopes), None))
    if added is not None:
        return added
    row = tx.one("access.token", hash=digest(secret))
    assert row is not None
    return _token(row)


def verify(tx: Tx, secret: str, now: Now) -> Token | None:
    """Return the token or session of a secret; None when there is none that counts now."""
    if not secret.startswith(PREFIX):
        return None
    row = tx.one("access.token", hash=digest(secret))
    token = None if row is None else _token(row)
    return token if token is not None and token.is_valid(now.wall) else None


def tokens(tx: Tx) -> list[Token]:
    """Return every token that was not revoked, oldest first; sessions of browsers are not among them."""
    return [_token(row) for row in tx.all("access.tokens")]


def revoke(tx: Tx, token: int, now: Now) -> Token:
    """Let a token or session count no more, and return it.

    Raises:
        UnknownName: there is no such token, or it was revoked before.
    """
    row = tx.one("access.revoke", id=token, at=now.wall)
    if row is None:
        raise UnknownName(f"there is no token {token}; `holdfast token list` shows all")
    return _token(row)


def begin_login(tx: Tx, secret: str, now: Now, *, scopes: Iterable[Scope]) -> float:
    """Let a secret be exchanged for a session, once; return the moment until which that works."""
    until = now.wall + LOGIN_LASTS_S
    tx.run("access.forget_logins_due", at=now.wall)
    tx.run(
        "access.add_login", hash=digest(secret), scopes=_text(frozenset(scopes)), expires_at=until
    )
    return until


def redeem(tx: Tx, secret: str, session: str, now: Now) -> Token | None:
    """Exchange a login for a session whose secret is `session`; None when it was used before or came too late."""
    row = tx.one("access.take_login", hash=digest(secret), at=now.wall)
    if row is None:
        return None
    tx.run("access.forget_sessions_due", at=now.wall)
    until = now.wall + SESSION_LASTS_S
    return _add(tx, session, now, (_SESSION, "browser", _scopes(row["scopes"]), until))


def digest(secret: str) -> str:
    """Return what is kept of a secret: its SHA-256 in hex."""
    # A secret is 256 bits of chance: nothing to guess, so a slow hash would cost and protect nothing.
    return hashlib.sha256(secret.encode()).hexdigest()


def as_row(token: Token) -> dict[str, object]:
    """Return a token as JSON shows it."""
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "made_at": utc_text(token.made_at),
        "expires_at": None if token.expires_at is None else utc_text(token.expires_at),
    }


def _add(
    tx: Tx, secret: str, now: Now, said: tuple[str, str, frozenset[Scope], float | None]
) -> Token | None:
    """Add a row for `said`: its kind, name, scopes and end."""
    kind, name, scopes, expires_at = said
    if not scopes:
        raise UsageError(
            f"{name!r} has no scope and would be good for nothing; give one of {_text(Scope)}"
        )
    row = tx.one(
        "access.add",
        name=name,
        kind=kind,
        hash=digest(secret),
        scopes=_text(scopes),
        made_at=now.wall,
        expires_at=expires_at,
    )
    return None if row is None else _token(row)


def _token(row: Row) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        scopes=_scopes(row["scopes"]),
        made_at=row["made_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )


def _scopes(text: str) -> frozenset[Scope]:
    return frozenset(Scope(word) for word in text.split())


def _text(scopes: Iterable[Scope]) -> str:
    return " ".join(sorted(scopes))
