"""Which supervisor a command talks to."""

from pathlib import Path

import pytest

from holdfast.cli import reach
from holdfast.errors import NotRunning
from holdfast.home import Home


def test_a_command_is_about_the_home_of_its_environment(home: Home) -> None:
    assert reach.home().root == home.root


def test_a_client_speaks_to_the_socket_of_that_home(home: Home) -> None:
    assert reach.supervisor().path == home.control_socket


def test_questions_have_an_end_and_orders_that_wait_have_none(home: Home) -> None:
    assert reach.supervisor().timeout == reach.ANSWER_WITHIN
    assert reach.supervisor(patience=None).timeout is None


def test_where_nobody_runs_the_error_says_what_to_do(home: Home) -> None:
    with pytest.raises(NotRunning, match="holdfast up"), reach.supervisor():
        pass


def test_the_socket_is_found_where_the_supervisor_remembered_it(
    home: Home, tmp_path: Path
) -> None:
    home.runtime_pointer.write_text(f"{tmp_path}/there\n", encoding="utf-8")
    assert reach.supervisor().path == tmp_path / "there" / "control.sock"
