import sys
from pathlib import Path

from holdfast.machine.supervisor.care.beside import environment_beside, launch_beside
from holdfast.model.service import ServiceState
from holdfast.model.spec import ServiceSpec

SPEC = ServiceSpec(
    name="api", command=("serve",), cwd="/srv", env={"PORT": "8000"}, user="www", umask=0o027
)
STATE = ServiceState(name="api", generation=3, instance="api.3.x")


def test_a_program_beside_a_service_runs_as_it_does() -> None:
    launch = launch_beside(SPEC, {"PORT": "8000"}, ("check", "-q"), "/home")
    assert (launch.argv, launch.cwd, launch.user) == (("check", "-q"), "/srv", "www")
    assert launch.umask == 0o027
    assert launch.env["PORT"] == "8000"


def test_it_can_never_pass_for_a_part_of_the_service() -> None:
    env = {
        "HOLDFAST_INSTANCE": "api.3.x",
        "NOTIFY_SOCKET": "/run/n",
        "WATCHDOG_USEC": "1",
        "A": "b",
    }
    launch = launch_beside(SPEC, env, ("check",), "/home")
    assert launch.env == {"A": "b", "HOLDFAST_ERRAND": "/home"}


def test_its_output_is_dropped_where_nothing_else_is_said() -> None:
    launch = launch_beside(SPEC, {}, ("check",), "/home")
    assert (launch.stdout, launch.stderr) == (None, None)


def test_the_environment_is_that_of_the_service(tmp_path: Path) -> None:
    spec = ServiceSpec(name="api", command=(sys.executable,), cwd="/", env={"PORT": "8000"})
    env = environment_beside(spec, STATE, tmp_path)
    assert env["PORT"] == "8000"
    assert env["HOLDFAST_SERVICE"] == "api"
    assert env["HOLDFAST_GENERATION"] == "3"
    assert env["HOLDFAST_HOME"] == str(tmp_path)
