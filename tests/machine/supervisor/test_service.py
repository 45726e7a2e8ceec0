"""A service in memory wakes who waits for it."""

import asyncio

from holdfast.machine.supervisor.service import Service
from holdfast.model.service import ServiceState
from holdfast.model.spec import ServiceSpec


def service() -> Service:
    spec = ServiceSpec(name="api", command=("x",), cwd="/")
    return Service(spec=spec, state=ServiceState(name="api"))


def test_its_name_is_that_of_its_spec() -> None:
    assert service().name == "api"


def test_everybody_who_waits_is_woken_once_and_who_gave_up_is_passed_over() -> None:
    async def scene() -> None:
        found = service()
        loop = asyncio.get_running_loop()
        waits = [loop.create_future() for _ in range(3)]
        found.waiters.extend(waits)
        waits[1].cancel()
        found.wake()
        assert [wait.done() for wait in waits] == [True] * 3
        assert found.waiters == []
        found.wake()

    asyncio.run(scene())


def test_no_two_services_share_their_waiters() -> None:
    assert service().waiters is not service().waiters
