"""Blocking work on a thread of its own: one that never comes back holds nothing up but its own next turn."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_under_way: set[str] = set()


async def aside(whose: str, act: Callable[[], T]) -> T:
    """Return what `act` returns; whoever is cancelled meanwhile leaves its thread to itself.

    The threads of the loop are few and waited for at the end, so that some that hang in a network would stop the hub.

    Raises:
        TimeoutError: the turn before of the same name has not come back yet.
    """
    if whose in _under_way:
        raise TimeoutError
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)  # type: ignore[arg-type]  # no error: it has returned

    def work() -> None:
        value, failed = None, None
        try:
            value = act()
        except Exception as error:  # noqa: BLE001 - it is the answer
            failed = error
        _under_way.discard(whose)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, value, failed)

    _under_way.add(whose)
    try:
        threading.Thread(target=work, name=f"aside {whose}", daemon=True).start()
    except RuntimeError:
        _under_way.discard(whose)
        raise
    return await answer
