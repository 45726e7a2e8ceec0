"""Every store there is, for the suite that all of them pass."""

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.hub.store import sqlite_file
from holdfast.hub.store.interface import Store
from holdfast.hub.store.sqlite import SqliteStore


@pytest.fixture(params=["sqlite"])
def new_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Store]:
    """Return what makes a store that is not yet open, each time over the same new database."""
    # Two of them wait for each other, on a disk that may be slow.
    monkeypatch.setattr(sqlite_file, "BUSY_FOR_S", 30.0)
    makers: dict[str, Callable[[], Store]] = {
        "sqlite": lambda: SqliteStore(tmp_path / "hub.db", SystemClock()),
    }
    return makers[request.param]
