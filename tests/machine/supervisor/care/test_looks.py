import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.clock import boot_id
from holdfast.home import Home
from holdfast.machine.probes.errand import Errands
from holdfast.machine.supervisor.care.looks import Looks
from holdfast.machine.supervisor.service import Service
from holdfast.model.finding import WELL, Finding, Found, failed, unknown
from holdfast.model.service import Actual, Identity, ServiceState
from holdfast.model.spec import Probe, ProbeKind, ServiceSpec
from holdfast.rules.probing import Purpose

if sys.platform != "linux":
    pytest.skip("waits by pidfd", allow_module_level=True)

MAIN = Identity(pid=os.getpid(), start_ticks=1, boot_id=boot_id())
FAR_AHEAD = 9_999_999_999.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    found.make()
    return found


def service(home: Home, *, adopted: bool = False, **spec: Any) -> Service:
    return Service(
        spec=ServiceSpec(name="api", command=("x",), cwd=str(home.root), **spec),
        state=ServiceState(
            name="api", actual=Actual.STARTING, since=FAR_AHEAD, process=MAIN, adopted=adopted
        ),
    )


def found(
    home: Home,
    looked_at: Service,
    kind: ProbeKind,
    *target: str,
    purpose: Purpose = Purpose.READY,
    meanwhile: Callable[[], object] = lambda: None,
) -> Finding:
    """Return what the first look finds; `meanwhile` happens between its making and the look."""

    async def scene() -> Finding:
        looks = Looks(home, Errands(asyncio.get_running_loop()))
        probe = Probe(kind=kind, target=target, timeout=30.0)
        look: Callable[[], Awaitable[Finding]] = looks.at(looked_at, probe, purpose)
        meanwhile()
        return await look()

    return asyncio.run(scene())


def test_an_address_is_looked_at_by_tcp(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        assert found(home, service(home), ProbeKind.TCP, target) == WELL


@pytest.mark.parametrize("scheme", ["http", "https", "HTTPS"])
def test_a_web_address_is_asked_by_its_scheme(home: Home, scheme: str) -> None:
    with socket.socket() as deaf:  # bound, so that nobody else listens there
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        finding = found(home, service(home), ProbeKind.HTTP, f"{scheme}://127.0.0.1:{port}/")
    assert finding.found is Found.FAILED
    assert "refused" in finding.why


def test_a_program_finds_the_environment_and_folder_of_its_service(home: Home) -> None:
    check = (
        "import os, sys; e = os.environ; sys.exit(0 if e['PORT'] == '8000'"
        " and 'HOLDFAST_INSTANCE' not in e and os.getcwd() == e['HOLDFAST_HOME'] else 5)"
    )
    looked_at = service(home, env={"PORT": "8000"})
    argv = (sys.executable, "-I", "-S", "-c", check)
    assert found(home, looked_at, ProbeKind.COMMAND, *argv) == WELL


def test_an_environment_that_cannot_be_read_tells_nothing_of_the_service(home: Home) -> None:
    looked_at = service(home, env_file="/nonexistent")
    assert found(home, looked_at, ProbeKind.COMMAND, "true").found is Found.UNKNOWN


def test_a_log_is_searched_from_where_it_stood(home: Home) -> None:
    log = home.log("api")
    log.write_text("up\n")
    nothing = failed("not found in the output")
    assert found(home, service(home), ProbeKind.LOG, "up") == nothing

    def print_more() -> None:
        with log.open("a") as file:
            file.write("up again\n")

    assert found(home, service(home), ProbeKind.LOG, "up", meanwhile=print_more) == WELL


def test_nobody_knows_where_the_log_of_an_adopted_start_stood(home: Home) -> None:
    home.log("api").write_text("up\n")
    adopted = service(home, adopted=True)
    assert found(home, adopted, ProbeKind.LOG, "up") == WELL
    assert found(home, adopted, ProbeKind.LOG, "up", purpose=Purpose.LIVE) != WELL


def test_a_file_must_be_new_for_readiness_and_only_there_for_life(home: Home) -> None:
    path = home.root / "pidfile"
    path.touch()
    looked_at = service(home)
    old = failed("the file is older than the start of the service")
    assert found(home, looked_at, ProbeKind.FILE, str(path)) == old
    assert found(home, looked_at, ProbeKind.FILE, str(path), purpose=Purpose.LIVE) == WELL


def test_what_a_service_says_itself_is_not_looked_for(home: Home) -> None:
    assert found(home, service(home), ProbeKind.NOTIFY) == unknown("the service says so itself")
