import asyncio
import errno
import os
import sys

import pytest

from holdfast.errors import StartFailed
from holdfast.machine.probes import errand
from holdfast.machine.probes.command import judged, look
from holdfast.machine.probes.errand import Errands
from holdfast.machine.process.launch import Launch
from holdfast.model.finding import WELL, Finding, Found, failed, unknown
from holdfast.model.service import Exit

if sys.platform != "linux":
    pytest.skip("waits by pidfd", allow_module_level=True)


def found(*argv: str) -> Finding:
    async def scene() -> Finding:
        launch = Launch(argv=argv, env={"PATH": os.defpath})
        return await look(Errands(asyncio.get_running_loop()), launch)

    return asyncio.run(scene())


def test_a_program_that_ends_with_0_is_well() -> None:
    assert found("true") == WELL


def test_a_program_that_ends_otherwise_fails_and_says_how() -> None:
    assert found("false") == failed("it exited with 1")
    assert judged(Exit(signal=9)) == failed("it was ended by signal 9")


def test_a_program_that_does_not_exist_fails() -> None:
    assert found("/nonexistent").found is Found.FAILED


def test_an_end_nobody_saw_tells_nothing() -> None:
    assert judged(Exit()) == unknown("how it ended could not be learned")


def test_a_shortage_of_processes_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StartFailed(os.strerror(errno.EAGAIN), permanent=False)

    monkeypatch.setattr(errand, "spawn", refuse)
    assert found("true") == unknown(os.strerror(errno.EAGAIN))
