"""One look at an https address, in a process of its own; run as a file, it needs nothing but the standard library."""

import base64
import http.client
import signal
import ssl
import sys
from urllib.parse import SplitResult, unquote, urlsplit

GOOD = range(200, 400)
SHORTEST_S = 0.001


def main(url: str, within: str) -> int:
    """Ask for a page; return 0 when the status is a success, else print why not and return 1."""
    seconds = max(float(within), SHORTEST_S)
    if sys.platform != "win32":
        # For a supervisor that dies meanwhile: nobody is left then to end this.
        signal.setitimer(signal.ITIMER_REAL, 2 * seconds)
    try:
        status = _status(urlsplit(url), seconds)
    except (OSError, ValueError) as error:
        return _tell(str(error) or type(error).__name__)
    except Exception as error:  # noqa: BLE001 - whatever a server sends: http.client names a dozen faults
        return _tell(f"the answer is not HTTP/1.1: {type(error).__name__}")
    return 0 if status in GOOD else _tell(f"it answered with status {status}")


def _tell(why: str) -> int:
    print(why, flush=True)  # noqa: T201 - the supervisor reads it
    return 1


def _status(parts: SplitResult, seconds: float) -> int:
    host = parts.hostname or ""
    headers = {"User-Agent": "holdfast", "Accept": "*/*", "Connection": "close"}
    if parts.username is not None:
        person = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(person.encode()).decode()}"
    asking = http.client.HTTPSConnection(
        host, parts.port or 443, timeout=seconds, context=_context(host)
    )
    try:
        asking.request(
            "GET",
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            headers=headers,
        )
        return asking.getresponse().status
    finally:
        asking.close()


def _context(host: str) -> ssl.SSLContext:
    """Trust as the machine does; on loopback nobody can stand in between, and no certificate names it."""
    context = ssl.create_default_context()
    if host == "localhost" or host == "::1" or host.startswith("127."):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
