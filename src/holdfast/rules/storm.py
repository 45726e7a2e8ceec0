"""Decide whether so many checks turn bad at once that one cause is likelier than many."""

STORM_SHARE = 0.3
"""Share of all checks that turn bad in one sweep, beyond which it is a storm."""

STORM_LEAST = 5
"""Checks that turn bad in one sweep, below which it never is one."""


def is_storm(raising: int, total: int) -> bool:
    """Tell whether the incidents that one sweep would open wait one more round, and then go out in one message."""
    return raising >= STORM_LEAST and raising > STORM_SHARE * total
