"""Call the API every few seconds: count a visit, and say what came back."""

import os
import signal
import sys
import time
from http.client import HTTPConnection, HTTPException

API = f"127.0.0.1:{os.environ.get('API_PORT') or 7402}"
EVERY = float(os.environ.get("WORKER_EVERY") or 5)


def visit() -> int:
    """Count one visit and return how many there are; OSError when the API is away or refuses."""
    connection = HTTPConnection(API, timeout=5)
    try:
        connection.request("POST", "/visits")
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"the API answered {answer.status}: {answer.read().decode().strip()}")
        return int(answer.read())
    finally:
        connection.close()


def main() -> None:
    """Count visits until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        try:
            print(f"visit {visit()}", flush=True)
        except (OSError, HTTPException, ValueError) as error:
            print(f"not counted: {error}", flush=True)
        time.sleep(EVERY)


if __name__ == "__main__":
    main()
