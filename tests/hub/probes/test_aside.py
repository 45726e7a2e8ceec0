import asyncio
import threading

import pytest

from holdfast.hub.probes.aside import aside


def test_a_look_that_never_comes_back_costs_one_thread_and_no_other_look() -> None:
    is_over = threading.Event()

    async def act() -> None:
        first = asyncio.ensure_future(aside("stuck", lambda: is_over.wait(30)))
        await asyncio.sleep(0)
        for _ in range(100):
            with pytest.raises(TimeoutError):
                await aside("stuck", lambda: True)
        assert await aside("other", lambda: "seen") == "seen"
        with pytest.raises(LookupError):
            await aside("other", lambda: dict[str, str]()["none"])
        first.cancel()
        is_over.set()

    asyncio.run(act())
    # A thread that came back makes room for the next turn.
    for thread in threading.enumerate():
        if thread.name == "aside stuck":
            thread.join(30)
    assert asyncio.run(aside("stuck", lambda: "seen")) == "seen"
