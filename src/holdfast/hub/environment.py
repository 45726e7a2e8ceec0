"""The environment of the programs that the hub starts: channels and probes."""

import os
from collections.abc import Mapping

OF_THE_HUB = frozenset({"HOLDFAST_SERVICE", "NOTIFY_SOCKET", "WATCHDOG_USEC"})
"""What makes the hub a service; a program that inherits it would beat for the hub."""


def of_a_program(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what a program is given: all that the hub has and that is not the hub's own, and this beside it."""
    own = {name: value for name, value in os.environ.items() if name not in OF_THE_HUB}
    return {**own, **(more or {})}
