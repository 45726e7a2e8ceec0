"""One HTTP request, of whose answer only the status counts; blocks, so call it on a thread."""

from typing import NamedTuple
from urllib.parse import urlsplit

import urllib3

from holdfast import __version__

AGENT = f"holdfast/{__version__}"


class Answer(NamedTuple):
    """The status of an answer, or why there was none."""

    status: int
    why: str = ""


def fetch(url: str, within: float) -> Answer:
    """Make one GET request; nothing of the address but its host stands in `why`: paths and queries hold secrets."""
    host = urlsplit(url).hostname or ""
    timeout = urllib3.Timeout(total=within)
    with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
        try:
            answer = pool.request(
                "GET", url, redirect=False, preload_content=False, headers={"User-Agent": AGENT}
            )
        except urllib3.exceptions.HTTPError as error:
            return Answer(0, f"{host}: {_reason(error)}")
        except ValueError:
            return Answer(0, f"{host}: that is no valid host name")
        answer.close()
        return Answer(answer.status)


def _reason(error: urllib3.exceptions.HTTPError) -> str:
    match error:
        case urllib3.exceptions.LocationValueError():
            return "that is no valid host name"
        case urllib3.exceptions.NameResolutionError():
            return "it has no address"
        case urllib3.exceptions.NewConnectionError():  # a TimeoutError too, for history's sake
            return "no connection could be made"
        case urllib3.exceptions.TimeoutError():
            return "no answer in time"
        case urllib3.exceptions.SSLError():
            return f"TLS failed: {error}"
        case _:
            return type(error).__name__
