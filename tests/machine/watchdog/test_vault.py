"""What is kept stays open, and nothing else does."""

import os
import subprocess
import sys

import pytest

from holdfast.machine.handover import pidfd_name
from holdfast.machine.watchdog.vault import Vault

if sys.platform != "linux":
    pytest.skip("these tests look into /proc", allow_module_level=True)


def is_open(fd: int) -> bool:
    return os.path.exists(f"/proc/self/fd/{fd}")


def test_a_new_descriptor_takes_the_place_of_the_old_one() -> None:
    vault, first, second = Vault(), os.dup(0), os.dup(0)
    vault.keep("a", first)
    vault.keep("a", second)
    assert (is_open(first), vault.get("a")) == (False, second)
    vault.drop("a")
    vault.drop("never kept")
    assert (is_open(second), vault.get("a")) == (False, None)


def test_pidfds_are_not_handed_over_but_tell_how_it_ended() -> None:
    vault = Vault()
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(5)"])
    vault.keep(pidfd_name(child.pid, 1), os.pidfd_open(child.pid))
    vault.keep(pidfd_name(os.getpid(), 2), os.pidfd_open(os.getpid()))
    vault.keep("fd.api", os.dup(0))
    assert vault.to_hand_over() == ["fd.api"]
    child.wait()
    major, minor = (int(number) for number in os.uname().release.split(".")[:2])
    known = [(child.pid, 1, 5 << 8)] if (major, minor) >= (6, 15) else []
    assert list(vault.exits()) == known
    vault.close()
    assert vault.to_hand_over() == []
