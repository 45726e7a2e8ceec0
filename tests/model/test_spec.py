"""What a person wants of one service."""

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from holdfast.model.spec import (
    PROCESS_FIELDS,
    PROCESS_LIMITS,
    Condition,
    HeartbeatPolicy,
    Hooks,
    Limits,
    LogFormat,
    LogPolicy,
    Need,
    Probe,
    ProbeKind,
    RestartLimit,
    RestartPolicy,
    ServiceSpec,
    StopPolicy,
    Watch,
    When,
    needs_restart,
)

SPEC = ServiceSpec(name="api", command=("api",), cwd="/srv")

CHANGES: dict[str, tuple[object, bool]] = {
    "name": ("other", False),
    "command": (("api", "--fast"), True),
    "cwd": ("/tmp", True),
    "env": ({"PORT": "1"}, True),
    "env_file": (".env", True),
    "inherit_env": (("SSH_AUTH_SOCK",), True),
    "user": ("www", True),
    "umask": (0o077, True),
    "enabled": (False, False),
    "autostart": (False, False),
    "needs": ((Need(name="db", condition=Condition.STARTED),), False),
    "reload_signal": ("USR1", False),
    "group": ("web", False),
    "hooks": (Hooks(on_failure=("page",)), False),
    "restart": (RestartPolicy(when=When.NEVER), False),
    "stop": (StopPolicy(timeout=1.0), False),
    "ready": (Probe(kind=ProbeKind.FILE, target=("/tmp/x",), timeout=1.0), False),
    "live": (Probe(kind=ProbeKind.TCP, target=("127.0.0.1", "80"), timeout=1.0), False),
    "heartbeat": (HeartbeatPolicy(), False),
    "log": (LogPolicy(max_size=1), False),
    "limits": (Limits(nofile=64), True),
    "watch": (Watch(paths=("src",)), False),
    "builtin": (True, False),
}
"""A changed value of every setting, and whether only a restart brings it to a running process."""


def test_the_list_of_changes_names_every_setting() -> None:
    assert list(CHANGES) == [field.name for field in fields(ServiceSpec)]


@pytest.mark.parametrize("name", list(CHANGES))
def test_only_what_a_process_is_made_of_needs_a_restart(name: str) -> None:
    value, expected = CHANGES[name]
    changes: dict[str, Any] = {name: value}

    assert needs_restart(SPEC, replace(SPEC, **changes)) is expected


def test_nothing_changed_needs_no_restart() -> None:
    assert not needs_restart(SPEC, replace(SPEC, env=dict(SPEC.env)))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (Limits(memory=1), False),
        (Limits(max_age=1.0), False),
        (Limits(nofile=64), True),
        (Limits(nice=5), True),
        (Limits(oom_score=5), True),
        (Limits(cpu=1.0), True),
    ],
    ids=repr,
)
def test_a_limit_that_is_watched_is_live_and_one_set_before_exec_needs_a_restart(
    changed: Limits, expected: bool
) -> None:
    assert needs_restart(SPEC, replace(SPEC, limits=changed)) is expected


def test_another_log_format_needs_other_pipes_and_so_a_restart() -> None:
    assert needs_restart(SPEC, replace(SPEC, log=LogPolicy(format=LogFormat.JSON)))


def test_every_process_field_is_a_setting() -> None:
    assert set(PROCESS_FIELDS) <= {field.name for field in fields(ServiceSpec)}
    assert set(PROCESS_LIMITS) <= {field.name for field in fields(Limits)}


def test_the_defaults_are_those_of_the_reference() -> None:
    assert RestartPolicy() == RestartPolicy(
        when=When.ALWAYS,
        delay=0.1,
        max_delay=60.0,
        min_gap=60.0,
        limit=RestartLimit(count=3, within=3600.0),
        no_restart_codes=(),
        on_error=False,
    )
    assert StopPolicy() == StopPolicy(signal="TERM", timeout=10.0)
    assert LogPolicy() == LogPolicy(max_size=10_000_000, keep=5, format=LogFormat.TEXT)
    assert HeartbeatPolicy() == HeartbeatPolicy(every=30.0, lease=90.0, progress_within=None)
    assert (SPEC.reload_signal, SPEC.enabled, SPEC.autostart) == ("HUP", True, True)


def test_a_spec_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        SPEC.cwd = "/"  # type: ignore[misc]  # that this fails is what is tested
