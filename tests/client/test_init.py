"""The client is small: importing it loads neither what it does not use nor what is heavy."""

import subprocess
import sys

import pytest

import holdfast.client


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True
    )
    return set(answer.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import holdfast.client",
        "from holdfast.client import beat",
        "from holdfast.client import beat, get_logger, recent, connect",
    ],
)
def test_the_client_loads_nothing_heavy(statement: str) -> None:
    loaded = modules_after(statement)

    assert not loaded & {"asyncio", "logging", "msgspec", "subprocess", "unittest", "http"}


def test_a_program_that_only_beats_loads_nothing_else() -> None:
    loaded = modules_after("from holdfast.client import beat")

    assert not loaded & {
        "socket",
        "inspect",
        "dataclasses",
        "holdfast.client.log",
        "holdfast.home",
    }


def test_beat_is_the_function_in_whatever_order_the_parts_are_loaded() -> None:
    modules_after(
        "from holdfast.client.beat import ready\n"
        "import holdfast.client.log, holdfast.client.control\n"
        "from holdfast.client import beat\n"
        "assert callable(beat)"
    )


@pytest.mark.parametrize("name", holdfast.client.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert callable(getattr(holdfast.client, name))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        holdfast.client.nothing  # noqa: B018 - the access is the test
