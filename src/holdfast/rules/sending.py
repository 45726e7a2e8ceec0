"""Decide when a message is tried, tried again, and given up.

Moments are seconds since the epoch, because they outlast a restart; spans are seconds. A moment that lies further away
than anything could have put it was written before the clock was set back, and counts as come.
"""

FIRST_RETRY_S, LONGEST_RETRY_S = 5.0, 900.0
SHORTEST_RETRY_S = 0.5
LONGEST_ASKED_S = 3600.0
"""The longest wait another side may ask for: one wrong header is not to silence a channel for a day."""

GIVE_UP_AFTER_S = 72 * 3600.0
LEAST_ATTEMPTS = 8
"""Tries before a message is given up whatever its age, for a machine that slept longer than that."""

LEASE_S = 60.0


def lease_for(timeout: float) -> float:
    """Return how long one try may hold a message before another sender takes it up."""
    return max(LEASE_S, 2 * timeout)


def is_come(at: float, now: float, longest: float) -> bool:
    """Tell whether a moment is there that lay at most `longest` ahead when it was written."""
    return at <= now or at > now + longest


def may_try(next_try_at: float, now: float) -> bool:
    """Tell whether a waiting message may be tried."""
    return is_come(next_try_at, now, max(LONGEST_RETRY_S, LONGEST_ASKED_S))


def retry_after(attempt: int, draw: float, asked: float | None = None) -> float:
    """Return the wait after a failed attempt: 5 s doubling to 15 min, with full jitter (AWS Architecture Blog, 2015).

    `asked` is what the other side wants at least; it is granted up to an hour.
    """
    most = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempt - 1, 16))
    wait = max(SHORTEST_RETRY_S, draw * most)
    return wait if asked is None else max(wait, min(asked, LONGEST_ASKED_S))


def is_given_up(created_at: float, attempt: int, now: float) -> bool:
    """Tell whether a message has failed for so long that it is reported as dead."""
    return now - created_at > GIVE_UP_AFTER_S and attempt >= LEAST_ATTEMPTS
