"""Every store there is, for the suite that all of them pass."""

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.clock import SystemClock
from holdfast.hub.store.interface import Store
from holdfast.hub.store.sqlite import SqliteStore


@pytest.fixture(params=["sqlite"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Return what makes a store that is not yet open, each time over the same new database."""
    makers: dict[str, Callable[[], Store]] = {
        "sqlite": lambda: SqliteStore(tmp_path / "hub.db", SystemClock()),
    }
    return makers[request.param]
