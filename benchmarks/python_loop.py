"""The smallest supervisor in Python: one pidfd a child, a selector, posix_spawn, nothing else.

``python_loop.py FILE``: one program a line, its words split at spaces.
"""

import os
import selectors
import sys
from pathlib import Path

assert sys.platform == "linux"  # pidfds


def main(listing: Path) -> None:
    """Start each program of the file, and again whenever it ends."""
    deaths = selectors.DefaultSelector()

    def start(words: list[str]) -> None:
        pid = os.posix_spawn(words[0], words, os.environ)
        deaths.register(os.pidfd_open(pid), selectors.EVENT_READ, words)

    for line in listing.read_text().splitlines():
        start(line.split())
    while True:
        for key, _ in deaths.select():
            os.waitid(os.P_PIDFD, key.fd, os.WEXITED)
            deaths.unregister(key.fd)
            os.close(key.fd)
            start(key.data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
