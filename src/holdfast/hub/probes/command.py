"""Does a program end with 0?"""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from typing import IO

from holdfast.hub.environment import of_a_program
from holdfast.model.check import CheckSpec, Observation

LAST_WORDS = 4_000
"""Bytes of the end of the output in which the reason is looked for."""

LONGEST_REASON = 300

GONE_WITHIN = 2.0
"""Seconds a killed program has to go."""


async def look(spec: CheckSpec, now: float) -> Observation:
    """Run a program in a process group of its own, which ends with the look.

    Its output goes to a file without a name, so that a grandchild that keeps a pipe open holds up nothing.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = await _started(spec, output)
        except OSError as error:
            why = f"{spec.target[0]} cannot be run: {error.strerror}"
            return Observation(at=now, failure=why)
        try:
            code = await process.wait()
        finally:
            await _end(process)
        if code == 0:
            return Observation(at=now, covered_at=now)
        return Observation(at=now, failure=_told(code, _last_line(output)))


async def _started(spec: CheckSpec, output: IO[bytes]) -> asyncio.subprocess.Process:
    """Start the program; when the time is over before the loop knows of it, its group ends all the same."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *spec.target,
            cwd=spec.cwd or None,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=of_a_program(),
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # asyncio would kill the program alone, and what it has started by now would go on.
        await asyncio.wait({starting})
        if starting.exception() is None:
            await _end(starting.result())
        raise


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the group, and reap the program; one that the kernel does not let go is left to the loop."""
    _kill_group(process)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GONE_WITHIN):
            await process.wait()


def _kill_group(process: asyncio.subprocess.Process) -> None:
    if sys.platform == "win32":
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _told(code: int, last_line: str) -> str:
    how = f"it was ended by signal {-code}" if code < 0 else f"it exited with {code}"
    return f"{how}: {last_line}" if last_line else how


def _last_line(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - LAST_WORDS))
    lines = output.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")[:LONGEST_REASON]
