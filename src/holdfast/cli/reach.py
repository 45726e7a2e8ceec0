"""Reach the supervisor of this home, if one runs."""

from holdfast.control import ControlClient
from holdfast.home import Home, default_home

ANSWER_WITHIN = 10.0
"""Seconds a question may take."""


def home() -> Home:
    """Return the home this command is about."""
    return Home(default_home())


def supervisor(*, patience: float | None = ANSWER_WITHIN) -> ControlClient:
    """Return a client of the running supervisor; orders that wait for services take `patience=None`."""
    return ControlClient(home().control_socket, timeout=patience)
