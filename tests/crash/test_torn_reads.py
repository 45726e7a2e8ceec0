"""Whoever reads while others write, by any means, reads one version whole."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from holdfast.statefile import Durability, write_atomic
from holdfast.statefile.system.ops import Ops

if sys.platform == "win32":
    pytest.skip("these readers open a file as POSIX programs do", allow_module_level=True)

# Each version is its number, repeated: a mixture of two, or a piece of one, does not look like that.
_WRITER = """
import itertools, sys
from holdfast.statefile import Durability, write_atomic
for number in itertools.count(1):
    size = (204, 10_008, 1_000_008)[number % 3]
    content = b"%012d" % number * (size // 12)
    write_atomic(sys.argv[1], content, durability=Durability(sys.argv[2]))
"""

_READER = """
import sys, time
over_at = time.monotonic() + 10
versions = torn = 0
last = b""
while time.monotonic() < over_at:
    with open(sys.argv[1], "rb") as file:
        content = file.read()
    number = content[:12]
    if len(content) not in (204, 10_008, 1_000_008) or content != number * (len(content) // 12):
        torn += 1
    versions += number != last
    last = number
print(versions, torn)
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("durability", [Durability.ATOMIC, Durability.FULL])
def test_of_all_reads_of_ten_seconds_of_writing_none_is_torn(
    tmp_path: Path, durability: Durability
) -> None:
    target = tmp_path / "state.json"
    write_atomic(target, b"0" * 204, ops=Ops())
    with ExitStack() as running:
        started(running, _WRITER, target, durability.value)
        readers = [started(running, _READER, target) for _ in range(2)]
        said = [reader.communicate()[0].split() for reader in readers]

    for versions, torn in said:
        assert torn == "0"
        assert int(versions) > 1


def started(running: ExitStack, program: str, *words: object) -> "subprocess.Popen[str]":
    process = running.enter_context(
        subprocess.Popen(
            [sys.executable, "-c", program, *map(str, words)], stdout=subprocess.PIPE, text=True
        )
    )
    running.callback(process.kill)
    return process
