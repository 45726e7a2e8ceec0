"""Does something take connections at an address?"""

import asyncio
import contextlib
import os
import socket
from urllib.parse import urlsplit

from holdfast.model.check import CheckSpec, Observation


async def look(spec: CheckSpec, now: float) -> Observation:
    """Connect, and hang up."""
    target = spec.target[0]
    parts = urlsplit(target if "//" in target else f"//{target}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None:
        return Observation(
            at=now, unverified=f"{target!r} is no address; write it like example.org:5432"
        )
    try:
        _, writer = await asyncio.open_connection(host, port)
    except socket.gaierror as error:
        return Observation(at=now, failure=f"{host} has no address: {error.strerror}")
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        return Observation(at=now, failure=f"{target}: {why}")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Observation(at=now, covered_at=now)
