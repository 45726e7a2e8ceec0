import select
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from holdfast.machine.process.spawn import Spawned
from holdfast.machine.process.windows import HandleDeath, Job, kernel32, open_handle
from holdfast.model.service import Exit

if sys.platform != "linux":
    pytest.skip("needs the processes of Linux", allow_module_level=True)


@dataclass
class FakeKernel:
    """Processes that end when told to; handles count up from 100."""

    code: int | None = 0
    may_assign: bool = True
    exists: bool = True
    ended: threading.Event = field(default_factory=threading.Event)
    calls: list[tuple[str, int]] = field(default_factory=list)
    handles: set[int] = field(default_factory=set)

    def _open(self) -> int:
        handle = 100 + len(self.calls)
        self.handles.add(handle)
        return handle

    def open_process(self, pid: int) -> int:
        self.calls.append(("open", pid))
        return self._open() if self.exists else 0

    def wait(self, handle: int) -> None:
        assert handle in self.handles
        self.ended.wait()

    def exit_code(self, handle: int) -> int | None:
        assert handle in self.handles
        return self.code

    def create_job(self) -> int:
        return self._open()

    def assign(self, job: int, process: int) -> bool:
        assert {job, process} <= self.handles
        return self.may_assign

    def terminate(self, job: int, code: int) -> bool:
        self.calls.append(("terminate", code))
        return job in self.handles

    def close(self, handle: int) -> None:
        self.handles.remove(handle)


def test_a_death_becomes_readable_and_tells_the_code() -> None:
    kernel = FakeKernel(code=37)
    death = HandleDeath(kernel, kernel.open_process(7))
    assert select.select([death], [], [], 0)[0] == []
    assert death.collect() is None

    kernel.ended.set()
    select.select([death], [], [])

    assert death.collect() == Exit(code=37)
    assert kernel.handles == set()
    death.close()


def test_a_code_that_cannot_be_told_is_unknown() -> None:
    kernel = FakeKernel(code=None)
    death = HandleDeath(kernel, kernel.open_process(7))

    kernel.ended.set()
    select.select([death], [], [])

    assert death.collect() == Exit()
    death.close()


def test_a_handle_is_watched_only_while_it_is_the_same_process(
    start: Callable[..., Spawned],
) -> None:
    living = start("/bin/sleep", "60").identity
    kernel = FakeKernel()

    reused = open_handle(replace(living, start_ticks=living.start_ticks - 1), kernel)
    assert reused is None
    assert kernel.handles == set()

    watched = open_handle(living, kernel)
    assert watched is not None
    kernel.ended.set()
    select.select([watched], [], [])
    watched.close()


def test_no_handle_means_no_process(start: Callable[..., Spawned]) -> None:
    living = start("/bin/sleep", "60").identity

    assert open_handle(living, FakeKernel(exists=False)) is None


def test_a_job_takes_a_process_in_and_ends_all() -> None:
    kernel = FakeKernel()
    job = Job(kernel)

    assert job.add(7)
    assert job.terminate()
    job.close()
    job.close()

    assert kernel.calls == [("open", 7), ("terminate", 1)]
    assert kernel.handles == set()


@pytest.mark.parametrize("kernel", [FakeKernel(exists=False), FakeKernel(may_assign=False)])
def test_a_process_that_is_gone_or_held_by_another_job_is_not_taken_in(kernel: FakeKernel) -> None:
    job = Job(kernel)

    assert not job.add(7)
    job.close()

    assert kernel.handles == set()


def test_elsewhere_there_is_no_kernel32() -> None:
    with pytest.raises(OSError, match="Windows only"):
        kernel32()
