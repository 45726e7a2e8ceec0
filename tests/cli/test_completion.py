import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.cli.commands import COMMANDS
from holdfast.cli.completion import script
from holdfast.home import Home

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


def completed(tmp_path: Path, *words: str) -> set[str]:
    """Return what bash offers for the last of these words, in a folder that holds files."""
    (tmp_path / "holdfast.bash").write_text(script("bash"))
    (tmp_path / "stray-file").touch()
    quoted = " ".join(f"'{word}'" for word in words)
    asked = f"""
        source holdfast.bash
        COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}
        function_=$(complete -p holdfast | sed -E 's/.*-F ([^ ]+).*/\\1/')
        $function_ holdfast "${{COMP_WORDS[COMP_CWORD]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", asked],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_every_shell_gets_every_command(shell: str) -> None:
    made = script(shell)

    assert all(command.name in made for command in COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_script_is_valid_for_its_shell(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")

    done = subprocess.run(
        [shell, "-n"], input=script(shell), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_bash
def test_commands_are_completed(tmp_path: Path, home: Home) -> None:
    assert completed(tmp_path, "holdfast", "re") == {"reload", "restart"}
    assert {command.name for command in COMMANDS} <= completed(tmp_path, "holdfast", "")


@needs_bash
def test_options_and_their_choices_are_completed(tmp_path: Path, home: Home) -> None:
    assert completed(tmp_path, "holdfast", "logs", "--f") == {"--follow"}
    assert completed(tmp_path, "holdfast", "logs", "--stream", "") == {"stdout", "stderr"}
    assert completed(tmp_path, "holdfast", "config", "s") == {"show", "schema"}


@needs_bash
@pytest.mark.parametrize("command", ["history", "logs", "stop", "status", "beat"])
def test_names_are_completed_to_services_and_never_to_files(
    tmp_path: Path, home: Home, record: Callable[..., None], command: str
) -> None:
    record("stray")
    record("api")

    assert completed(tmp_path, "holdfast", command, "s") == {"stray"}
    assert completed(tmp_path, "holdfast", command, "z") == set()


@needs_bash
def test_without_services_nothing_is_offered_for_a_name(tmp_path: Path, home: Home) -> None:
    assert completed(tmp_path, "holdfast", "history", "") == set()


@needs_bash
def test_files_are_completed_where_a_file_is_meant(tmp_path: Path, home: Home) -> None:
    assert completed(tmp_path, "holdfast", "up", "-c", "str") == {"stray-file"}
