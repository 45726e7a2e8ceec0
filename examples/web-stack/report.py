"""Print what the stack holds: how many visits, and which items."""

import json
import os
from http.client import HTTPConnection

API = f"127.0.0.1:{os.environ.get('API_PORT') or 7402}"


def ask(path: str) -> object:
    """Return what the API says; OSError when it is away or has no answer."""
    connection = HTTPConnection(API, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"the API answered {answer.status}: {answer.read().decode().strip()}")
        return json.loads(answer.read())
    finally:
        connection.close()


if __name__ == "__main__":
    print(f"visits: {ask('/items/visits') or 0}, items: {ask('/items')}")
