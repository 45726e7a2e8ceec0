"""Does a web address answer well?"""

from urllib.parse import urlsplit

from holdfast.hub.probes.aside import aside
from holdfast.hub.probes.fetch import fetch
from holdfast.model.check import CheckSpec, Observation

LOOKS_FOR = 10.0
"""Seconds a request may take where the check does not say."""


async def look(spec: CheckSpec, now: float) -> Observation:
    """Ask for a page; every status below 400 is well, a redirection too: it is not followed."""
    url = spec.target[0]
    if urlsplit(url).scheme not in {"http", "https"}:
        return Observation(
            at=now, unverified=f"{url!r} is no web address; write it like https://example.org/"
        )
    within = spec.timeout or LOOKS_FOR
    answer = await aside(spec.name, lambda: fetch(url, within))
    if answer.why:
        return Observation(at=now, failure=answer.why)
    if answer.status >= 400:
        return Observation(at=now, failure=f"it answered with {answer.status}")
    return Observation(at=now, covered_at=now)
