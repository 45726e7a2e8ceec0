"""Eight processes that change one file at once lose none of their changes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROCESSES = 8
TIMES = 250

pytestmark = pytest.mark.timeout(300)

_UPDATES = """
import sys
from holdfast.statefile.state import StateFile
state = StateFile(sys.argv[1], wait_for=120)
def one_more(value):
    return {**value, "n": value["n"] + 1}
for _ in range(int(sys.argv[2])):
    state.update(one_more)
"""

_READS_AND_WRITES = """
import sys
from holdfast.statefile import locked, read_json, write_json
path = sys.argv[1]
for _ in range(int(sys.argv[2])):
    with locked(path, 120):
        write_json(path, {"n": read_json(path)["n"] + 1})
"""

_EXPECTS = """
import hashlib, json, sys
from holdfast.errors import Conflict
from holdfast.statefile import write_json
path = sys.argv[1]
def changed():
    with open(path, "rb") as file:
        content = file.read()
    version = hashlib.sha256(content).hexdigest()
    try:
        write_json(path, {"n": json.loads(content)["n"] + 1}, expect=version)
    except Conflict:
        return False
    return True
for _ in range(int(sys.argv[2])):
    while not changed():
        pass
"""

_COMMANDS = """
import subprocess, sys
for _ in range(int(sys.argv[2])):
    subprocess.run(
        [sys.executable, "-m", "holdfast", "state", "json", sys.argv[1], ".n += 1"], check=True
    )
"""

# The whole command in a process of its own each time; only Python itself is started once.
_FORKED_COMMANDS = """
import os, sys
import holdfast.cli.commands, holdfast.statefile.jsondoc.jq, holdfast.statefile.state
from holdfast.cli.main import main
for _ in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        os._exit(main(["state", "json", sys.argv[1], ".n += 1", "--timeout", "2m"]))
    if os.waitpid(child, 0)[1] != 0:
        sys.exit("a command failed")
"""

_SHELL = """
for i in $(seq "$2"); do
  flock "$(dirname "$1")/.$(basename "$1").lock" sh -c '
    n=$(sed "s/[^0-9]//g" "$1"); printf "{\\"n\\": %d}\\n" $((n + 1)) > "$1.new"; mv "$1.new" "$1"' - "$1"
done
"""


def count_after(target: Path, *commands: list[str], times: int) -> int:
    """Run commands side by side, each with the file and how often it is to change it, and read the count."""
    target.write_text('{"n": 0}\n')
    running = [
        subprocess.Popen([*command, str(target), str(times)], stdout=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        codes = [process.wait() for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert codes == [0] * len(commands)
    return int(json.loads(target.read_bytes())["n"])


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


@pytest.mark.parametrize(
    "program", [_UPDATES, _READS_AND_WRITES, _EXPECTS], ids=["update", "locked", "expect"]
)
def test_updates_through_the_library_are_all_kept(tmp_path: Path, program: str) -> None:
    count = count_after(tmp_path / "state.json", *[python(program)] * PROCESSES, times=TIMES)

    assert count == PROCESSES * TIMES


@pytest.mark.parametrize(
    ("program", "times"), [(_COMMANDS, 8), (_FORKED_COMMANDS, TIMES)], ids=["few", "many"]
)
def test_updates_through_the_command_are_all_kept(
    tmp_path: Path, program: str, times: int
) -> None:
    count = count_after(tmp_path / "state.json", *[python(program)] * PROCESSES, times=times)

    assert count == PROCESSES * times


@pytest.mark.skipif(sys.platform != "linux", reason="flock(1) is of util-linux")
def test_a_shell_script_under_flock_and_a_program_lose_none_of_each_others_changes(
    tmp_path: Path,
) -> None:
    script = ["sh", "-c", _SHELL, "sh"]

    count = count_after(
        tmp_path / "state.json", script, script, *[python(_READS_AND_WRITES)] * 2, times=TIMES
    )

    assert count == 4 * TIMES
