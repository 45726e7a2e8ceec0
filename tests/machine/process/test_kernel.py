import os
import select
import sys
from collections.abc import Callable

import pytest

from holdfast.machine.process import kernel
from holdfast.machine.process.spawn import Spawned

if sys.platform != "linux":
    pytest.skip("needs the processes of Linux", allow_module_level=True)


def test_orphans_come_to_a_subreaper(apart: Callable[[str], dict[str, object]]) -> None:
    told = apart("""
import json, os
from holdfast.machine.process.kernel import become_subreaper
became = become_subreaper()
middle = os.fork()
if middle == 0:
    os.fork()
    os._exit(0)
os.waitpid(middle, 0)
orphan, _ = os.wait()
print(json.dumps({"became": became, "came": orphan != middle}))
""")

    assert told == {"became": True, "came": True}


def test_a_living_process_and_a_zombie_tell_no_exit_status(
    start: Callable[..., Spawned],
) -> None:
    living, zombie = start("/bin/sleep", "60"), start("/bin/true")
    assert living.pidfd is not None
    assert zombie.pidfd is not None
    select.select([zombie.pidfd], [], [])

    assert kernel.exit_status_of(living.pidfd) is None
    assert kernel.exit_status_of(zombie.pidfd) is None


def test_a_descriptor_that_is_no_pidfd_tells_no_exit_status() -> None:
    reader, writer = os.pipe()
    try:
        assert kernel.exit_status_of(reader) is None
    finally:
        os.close(reader)
        os.close(writer)
