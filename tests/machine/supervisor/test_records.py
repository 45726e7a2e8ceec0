"""The record of a service on disk: written whole, read by older and newer versions, never guessed at."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import Corrupt, StateIOError
from holdfast.home import Home
from holdfast.machine.supervisor.records import Broken, Loaded, Records, load, readable
from holdfast.model.service import (
    Actual,
    Exit,
    Identity,
    LastExit,
    Reason,
    Restart,
    ServiceState,
    Start,
    Wait,
)
from holdfast.model.spec import Need, ServiceSpec
from holdfast.model.wire import from_plain, to_plain
from holdfast.statefile import Durability

SPEC = ServiceSpec(
    name="api", command=("sleep", "1"), cwd="/", env={"A": "ü"}, needs=(Need(name="db"),)
)
PROCESS = Identity(pid=42, start_ticks=7, boot_id="boot-1", pidfd_inode=9)
STATE = ServiceState(
    name="api",
    actual=Actual.BACKOFF,
    generation=3,
    instance="api.3.1",
    process=PROCESS,
    next_start=Start(at=2.0, mono=1.0, wait=Wait.MIN_GAP),
    history=(Restart(at=1.0, mono=1.0, boot_id="b", reason=Reason.EXIT, exit=Exit(code=1)),),
    last_exit=LastExit(exit=Exit(signal=9, core=True), reason=Reason.SIGNAL, at=1.0, mono=1.0),
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.make()
    return home


@pytest.fixture
def records(home: Home) -> Records:
    return Records(home, "boot-1")


def saved(records: Records, home: Home, spec: ServiceSpec = SPEC) -> dict[str, Any]:
    records.save(spec, STATE, Durability.ATOMIC)
    found: dict[str, Any] = json.loads(home.service(spec.name).read_text(encoding="utf-8"))
    return found


def test_what_is_saved_is_loaded_again(home: Home, records: Records) -> None:
    saved(records, home)
    assert records.load_all() == [Loaded(spec=SPEC, state=STATE, boot_id="boot-1")]


def test_a_record_is_private_and_names_pid_and_spec_for_people(
    home: Home, records: Records
) -> None:
    found = saved(records, home)
    assert (found["pid"], found["boot_id"], len(found["spec_hash"])) == (42, "boot-1", 64)
    assert home.service("api").stat().st_mode & 0o777 == 0o600


def test_the_hash_of_a_spec_changes_with_the_spec_alone(home: Home, records: Records) -> None:
    first = saved(records, home)["spec_hash"]
    assert saved(records, home)["spec_hash"] == first
    other = ServiceSpec(name="api", command=("sleep", "2"), cwd="/")
    assert saved(records, home, other)["spec_hash"] != first
    assert load(home, "api").spec == other


def test_a_record_of_a_newer_version_with_unknown_fields_loads(
    home: Home, records: Records
) -> None:
    found = saved(records, home)
    found["colour"] = "red"
    found["spec"]["colour"] = {"deep": [1]}
    found["process"]["colour"] = None
    home.service("api").write_text(json.dumps(found), encoding="utf-8")
    assert load(home, "api") == Loaded(spec=SPEC, state=STATE, boot_id="boot-1")


def test_a_record_of_an_older_version_with_missing_fields_loads(
    home: Home, records: Records
) -> None:
    spec = {"name": "api", "command": ["sleep", "1"], "cwd": "/"}
    home.service("api").write_text(
        json.dumps({"name": "api", "boot_id": "b", "spec": spec}), encoding="utf-8"
    )
    found = load(home, "api")
    assert found.state == ServiceState(name="api")
    assert found.spec == ServiceSpec(name="api", command=("sleep", "1"), cwd="/")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"name":"api","boot_id":"b"}',
        b'{"name":"api","boot_id":"b","spec":5}',
        b'{"name":"api","boot_id":"b","actual":"asleep","spec":{"name":"api","command":["x"],"cwd":"/"}}',
        b'{"name":"api","boot_id":"b","spec":{"name":"api","command":"x","cwd":"/"}}',
        b'{"name":"api","boot_id":"b","spec":{"name":"other","command":["x"],"cwd":"/"}}',
        b"\0" * 4096,
        b"\xff\xfe",
    ],
)
def test_a_broken_record_is_moved_aside_and_kept(
    home: Home, records: Records, content: bytes
) -> None:
    home.service("api").write_bytes(content)
    (found,) = records.load_all()
    assert isinstance(found, Broken)
    assert found.name == "api"
    assert "api.json" in found.why
    assert Path(found.evidence).read_bytes() == content
    assert not home.service("api").exists()
    assert records.load_all() == []


def test_reading_alone_moves_nothing_and_passes_over_what_is_broken(
    home: Home, records: Records
) -> None:
    saved(records, home)
    home.service("bad").write_bytes(b"{")
    assert [found.spec.name for found in readable(home)] == ["api"]
    assert home.service("bad").read_bytes() == b"{"
    with pytest.raises(Corrupt):
        load(home, "bad")


def test_a_missing_record_is_not_a_broken_one(home: Home) -> None:
    with pytest.raises(FileNotFoundError):
        load(home, "nobody")


def test_a_refusing_disk_is_told_and_keeps_the_old_record(home: Home, records: Records) -> None:
    home.services.rmdir()
    home.services.write_text("no folder", encoding="utf-8")
    with pytest.raises(StateIOError):
        records.save(SPEC, STATE, Durability.ATOMIC)


def test_a_forgotten_record_is_gone_and_may_be_forgotten_again(
    home: Home, records: Records
) -> None:
    saved(records, home)
    records.forget("api")
    records.forget("api")
    assert records.load_all() == []


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (*ServiceState.__slots__, "spec", "boot_id")


@given(st.dictionaries(st.sampled_from(FIELDS), plain))
def test_whatever_json_a_record_holds_it_loads_or_is_called_unfit(
    wrong: dict[str, object],
) -> None:
    good: Any = to_plain(STATE)
    try:
        found = from_plain(ServiceState, {**good, **wrong})
    except ValueError:
        return
    assert isinstance(found, ServiceState)
