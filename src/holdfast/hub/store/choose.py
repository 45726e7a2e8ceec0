"""Which store a configuration means."""

from holdfast.clock import Clock
from holdfast.errors import StoreError
from holdfast.home import Home
from holdfast.hub.store.interface import Store

SQLITE = "sqlite"


def store_for(database: str, home: Home, clock: Clock) -> Store:
    """Return the store of a hub, not yet open; `database` is the key of that name in [hub].

    Raises:
        StoreError: this program has no store of that kind.
    """
    if database == SQLITE:
        from holdfast.hub.store.sqlite import SqliteStore

        return SqliteStore(home.hub_db, clock)
    kind = database.partition(":")[0]
    raise StoreError(
        f'this Holdfast keeps no hub in {kind!r}; write database = "{SQLITE}" in [hub]'
    )
