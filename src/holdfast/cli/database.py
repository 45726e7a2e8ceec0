"""The database of this home's hub, for commands that ask it directly, with or without a running hub."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from holdfast.cli import reach
from holdfast.clock import SystemClock

if TYPE_CHECKING:
    from holdfast.hub.store.interface import Store

T = TypeVar("T")


def chosen() -> "Store":
    """Return the store the configuration of this home means, not yet open.

    Raises:
        StoreError: this program has no store of that kind.
    """
    from holdfast.hub.store import choose
    from holdfast.machine.supervisor import standing

    told = standing.remembered(reach.home()).get("hub")
    database = told.get("database", choose.SQLITE) if isinstance(told, dict) else choose.SQLITE
    return choose.store_for(str(database), reach.home(), SystemClock())


def ask(question: "Callable[[Store], Awaitable[T]]") -> T:
    """Open the store, ask, and close it.

    Raises:
        StoreError: the database cannot be used.
    """
    import asyncio

    async def whole() -> T:
        reach.home().make()
        store = chosen()
        try:
            await store.open()
            return await question(store)
        finally:
            await store.close()

    return asyncio.run(whole())
