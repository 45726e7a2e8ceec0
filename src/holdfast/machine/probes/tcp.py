"""Does an address take a connection?"""

from holdfast.machine.probes.connect import connected, is_shortage, words
from holdfast.model.finding import WELL, Finding, failed, unknown


async def look(target: str) -> Finding:
    """Connect to `host:port` or `[ipv6]:port`, and hang up again."""
    host, _, port = target.rpartition(":")
    try:
        async with connected(host.strip("[]"), int(port)):
            return WELL
    except OSError as error:
        return (unknown if is_shortage(error) else failed)(words(error))
