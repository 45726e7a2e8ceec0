import asyncio
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.errors import StateError
from holdfast.home import Home
from holdfast.hub import access, keys
from holdfast.hub.access import Scope
from holdfast.model.service import Now

if TYPE_CHECKING:
    from tests.hub.conftest import StoreNow

NOW = Now(wall=1_000_000.0, mono=50.0, boot_id="boot")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def settled(home: Home, store: "StoreNow") -> str:
    asyncio.run(keys.settle_token(home, store, NOW))
    return home.token.read_text().strip()


def test_the_first_start_leaves_a_token_that_is_good_for_everything(
    home: Home, store: "StoreNow"
) -> None:
    secret = settled(home, store)

    token = store.read_now(lambda tx: access.verify(tx, secret, NOW))
    assert token is not None
    assert token.name == "home"
    assert token.scopes == {Scope.ADMIN}
    if sys.platform != "win32":
        assert stat.S_IMODE(home.token.stat().st_mode) == 0o600


def test_the_next_start_keeps_it_also_when_the_database_knows_nothing_of_it(
    home: Home, store: "StoreNow"
) -> None:
    secret = "hf_" + "a" * 43
    home.token.write_text(f"{secret}\n")

    assert [settled(home, store), settled(home, store)] == [secret, secret]
    assert len(store.read_now(access.tokens)) == 1


def test_a_revoked_or_damaged_one_is_replaced(home: Home, store: "StoreNow") -> None:
    first = settled(home, store)
    (token,) = store.read_now(access.tokens)
    store.write_now(lambda tx: access.revoke(tx, token.id, NOW))
    second = settled(home, store)
    home.token.write_bytes(second.encode()[:20] + b"\xff")
    third = settled(home, store)

    assert len({first, second, third}) == 3
    assert store.read_now(lambda tx: access.verify(tx, third, NOW)) is not None


def test_the_ping_key_stays_the_same(home: Home) -> None:
    key = keys.ping_key(home)

    assert len(key) == 22
    assert keys.ping_key(home) == key


def test_a_file_that_cannot_be_read_is_not_replaced(home: Home) -> None:
    home.ping_key.mkdir()

    with pytest.raises(StateError, match="cannot be read"):
        keys.ping_key(home)
