import os
import pwd
import sys
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.errors import StartFailed
from holdfast.machine.process.launch import Launch, with_user_resolved

if sys.platform != "linux":
    pytest.skip("needs the processes of Linux", allow_module_level=True)

root_only = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may name other users without being refused"
)


def launch(**fields: Any) -> Launch:
    return Launch(argv=("true",), env={}, **fields)


def test_a_launch_without_user_stays_as_it_is() -> None:
    plain = launch()

    assert with_user_resolved(plain) is plain


@root_only
def test_a_user_brings_uid_primary_group_and_all_groups() -> None:
    nobody = pwd.getpwnam("nobody")

    resolved = with_user_resolved(launch(user="nobody"))

    assert (resolved.uid, resolved.gid) == (nobody.pw_uid, nobody.pw_gid)
    assert resolved.groups == tuple(os.getgrouplist("nobody", nobody.pw_gid))
    assert resolved.user is None


@root_only
def test_a_number_names_the_user_too() -> None:
    assert with_user_resolved(launch(user="65534")) == with_user_resolved(launch(user="nobody"))


@root_only
def test_a_group_replaces_the_primary_group_of_the_user() -> None:
    resolved = with_user_resolved(launch(user="nobody", group="root"))

    assert (resolved.uid, resolved.gid) == (pwd.getpwnam("nobody").pw_uid, 0)
    assert with_user_resolved(launch(group="0")).gid == 0


@pytest.mark.parametrize("name", ["no-such-user", "4123456789", "99999999999999999999"])
def test_an_unknown_user_is_named_and_final(name: str) -> None:
    with pytest.raises(StartFailed, match=f"no user '{name}'") as raised:
        with_user_resolved(launch(user=name))

    assert raised.value.permanent


@pytest.mark.parametrize("name", ["no-such-group", "4123456789"])
def test_an_unknown_group_is_named_and_final(name: str) -> None:
    with pytest.raises(StartFailed, match=f"no group '{name}'") as raised:
        with_user_resolved(launch(group=name))

    assert raised.value.permanent


def test_the_own_user_is_no_change(as_nobody: Callable[[str], dict[str, object]]) -> None:
    told = as_nobody("""
from holdfast.machine.process.launch import with_user_resolved
resolved = with_user_resolved(Launch(argv=("true",), env={}, user="nobody"))
print(json.dumps({"own": [resolved.uid, resolved.gid, resolved.groups]}))
""")

    assert told == {"own": [None, None, None]}
