"""The smallest supervisor on asyncio: one pidfd a child as a reader of the loop, subprocesses through posix_spawn.

``asyncio_loop.py FILE``: one program a line, its words split at spaces.
"""

import asyncio
import os
import sys
from pathlib import Path

assert sys.platform == "linux"  # pidfds


async def main(lines: list[str]) -> None:
    """Start the program of each line, and again whenever it ends."""
    loop = asyncio.get_running_loop()

    def start(words: list[str]) -> None:
        pidfd = os.pidfd_open(os.posix_spawn(words[0], words, os.environ))
        loop.add_reader(pidfd, restart, pidfd, words)

    def restart(pidfd: int, words: list[str]) -> None:
        loop.remove_reader(pidfd)
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        os.close(pidfd)
        start(words)

    for line in lines:
        start(line.split())
    await loop.create_future()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]).read_text().splitlines()))
