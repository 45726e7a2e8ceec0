"""Numbered startup steps: each says what it does and how it went, and a failing one never stops the rest."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from holdfast.cli import render
from holdfast.errors import HoldfastError

STEP_WITHIN = 300.0
"""Seconds a configured step may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: `act` returns what it has to tell, and raises HoldfastError when it went wrong."""

    name: str
    act: Callable[[], str]
    is_vital: bool = False


@dataclass(slots=True, kw_only=True)
class Course:
    """The steps of one `up`, and what became of them."""

    steps: Sequence[Step]
    is_quiet: bool = False
    results: list[dict[str, object]] = field(default_factory=list)

    def run(self) -> None:
        """Go through all steps.

        Raises:
            HoldfastError: a vital step failed: without it the rest means nothing.
        """
        for number, step in enumerate(self.steps, start=1):
            self._print(f"[{number}/{len(self.steps)}] {step.name} ... ", end="")
            failure = self._take(step)
            if failure is not None and step.is_vital:
                raise failure

    def _take(self, step: Step) -> HoldfastError | None:
        began = time.perf_counter()
        try:
            told, failure = step.act(), None
        except HoldfastError as error:
            told, failure = str(error), error
        took = round(time.perf_counter() - began, 3)
        ok = failure is None
        self.results.append({"name": step.name, "ok": ok, "says": told, "seconds": took})
        verdict = render.paint("ok", "green") if ok else render.paint("failed", "red")
        self._print(verdict + (f" ({told})" if told and ok else ""))
        if not ok:
            self._print("      " + told.replace("\n", "\n      "))
        return failure

    def _print(self, text: str, end: str = "\n") -> None:
        if not self.is_quiet:
            print(text, end=end, flush=True)


def run_command(command: Sequence[str], cwd: str, env: dict[str, str]) -> str:
    """Run a configured step without a shell and return the last line it printed.

    Raises:
        HoldfastError: it could not be executed, took too long, or did not exit with 0.
    """
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=STEP_WITHIN,
            check=False,
        )
    except OSError as error:
        raise HoldfastError(f"{command[0]} cannot be executed: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise HoldfastError(
            f"{command[0]} did not end within {STEP_WITHIN:g} s and was killed"
        ) from None
    told = (
        (done.stdout if done.returncode == 0 else done.stderr or done.stdout)
        .decode(errors="replace")
        .strip()
    )
    last = told.splitlines()[-1] if told else ""
    if done.returncode != 0:
        raise HoldfastError(
            f"{command[0]} ended with {_ending(done.returncode)}" + (f": {last}" if last else "")
        )
    return last


def _ending(code: int) -> str:
    if code < 0 and sys.platform != "win32":
        return f"signal {-code}"
    return f"exit code {code}"
