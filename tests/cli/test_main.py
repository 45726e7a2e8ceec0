import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from holdfast import __version__
from holdfast.cli import history
from holdfast.cli.main import main
from holdfast.errors import HoldfastError, LockHeld, NotRunning, Refused, UnknownName
from holdfast.home import Home

if TYPE_CHECKING:
    from tests.cli.conftest import Done


def test_the_version_is_printed(run: "Callable[..., Done]") -> None:
    assert (run("--version").code, run("--version").lines) == (0, [f"holdfast {__version__}"])


def test_without_a_command_the_help_is_shown_and_the_use_is_wrong(
    run: "Callable[..., Done]",
) -> None:
    done = run()

    assert done.code == 2
    assert "exit codes:" in done.out


@pytest.mark.parametrize("words", [("fly",), ("status", "--fly"), ("logs", "-n", "many")])
def test_what_nobody_understands_is_wrong_use(
    run: "Callable[..., Done]", words: tuple[str, ...]
) -> None:
    done = run(*words)

    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HoldfastError("it broke"), 1),
        (UnknownName("it broke"), 2),
        (NotRunning("it broke"), 3),
        (Refused("it broke"), 4),
        (LockHeld("it broke"), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_is_one_message_and_its_exit_code(
    run: "Callable[..., Done]",
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
) -> None:
    def fail(_options: object) -> int:
        raise error

    monkeypatch.setattr(history, "run", fail)
    done = run("history", "api")

    assert (done.code, done.out) == (code, "")
    assert done.err in {"holdfast: it broke\n", ""}


def test_the_log_level_means_the_same_as_the_short_options(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    told = []

    def tell(options: argparse.Namespace) -> int:
        told.append((options.verbose, options.quiet))
        return 0

    monkeypatch.setattr(history, "run", tell)
    for words in (["--log-level", "debug"], ["-v"], ["--log-level", "error"], ["-q"], []):
        main(["history", "api", *words])

    assert told == [(True, False), (True, False), (False, True), (False, True), (False, False)]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.parametrize("words", [("--version",), ("config", "schema")])
def test_output_that_cannot_be_written_is_one_message(home: Home, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "No space left on device" in done.stderr


def test_letters_that_the_terminal_lacks_are_escaped(home: Home) -> None:
    home.log("api").write_text("h\xe9llo\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "logs", "api"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "h\\xe9llo\n"


def test_a_reader_that_has_enough_gets_no_complaint(home: Home) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "holdfast", "config", "schema"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()

    assert command.stderr.read() == b""
    assert command.wait(30) == 0
    command.stderr.close()
