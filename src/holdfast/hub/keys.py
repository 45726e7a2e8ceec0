"""The secrets a home keeps in files: the token of this machine's user and the key in ping addresses."""

import re
import secrets
from pathlib import Path

from holdfast import statefile
from holdfast.errors import StateError
from holdfast.home import Home
from holdfast.hub import access
from holdfast.hub.access import Scope
from holdfast.hub.store.interface import Store
from holdfast.model.service import Now

OWN_NAME = "home"
"""The name of the token of this machine's user."""

_SECRET = re.compile(rf"{access.PREFIX}[A-Za-z0-9_-]{{43}}")
_PING_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")


def new_secret() -> str:
    """Draw a secret of 256 bits."""
    return access.PREFIX + secrets.token_urlsafe(32)


async def settle_token(home: Home, store: Store, now: Now) -> None:
    """See that the file of this home holds a token the hub knows, good for everything; a revoked one is replaced.

    The file is written before the database knows of it: after a death in between the next start finds both.

    Raises:
        StoreError: the database cannot be used.
        StateError: the file cannot be written.
    """
    secret = _read(home.token, _SECRET) or _write(home.token, new_secret())
    while (await _adopted(store, secret, now)).revoked_at is not None:
        secret = _write(home.token, new_secret())


def ping_key(home: Home) -> str:
    """Return the key in ping addresses of this home, made when it is missing.

    Raises:
        StateError: the file cannot be written.
    """
    return _read(home.ping_key, _PING_KEY) or _write(home.ping_key, secrets.token_urlsafe(16))


async def _adopted(store: Store, secret: str, now: Now) -> access.Token:
    return await store.write(
        lambda tx: access.adopt(tx, secret, now, name=OWN_NAME, scopes=(Scope.ADMIN,))
    )


def _read(path: Path, form: re.Pattern[str]) -> str | None:
    """Return what a file says, None when it is missing or says something else.

    Raises:
        StateError: it is there and cannot be read; writing another one could lock its owner out.
    """
    try:
        text = path.read_bytes().decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error
    return text if form.fullmatch(text) else None


def _write(path: Path, text: str) -> str:
    statefile.write_atomic(path, f"{text}\n", mode=0o600)
    return text
