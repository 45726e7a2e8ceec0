from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.errors import StoreError
from holdfast.home import Home
from holdfast.hub.store.choose import store_for
from holdfast.hub.store.sqlite import SqliteStore


def test_the_word_sqlite_means_the_file_of_the_home(tmp_path: Path) -> None:
    assert isinstance(store_for("sqlite", Home(tmp_path), SystemClock()), SqliteStore)


def test_a_database_nobody_knows_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no hub in 'mysql'") as caught:
        store_for("mysql://me:secret@host/db", Home(tmp_path), SystemClock())

    assert "secret" not in str(caught.value)
