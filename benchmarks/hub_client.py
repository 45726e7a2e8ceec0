"""Ask a hub over connections that stay open: `python hub_client.py PORT CONNECTIONS SECONDS ADDRESS...`.

Prints the seconds of every answer as JSON. It is a process of its own, so that it takes nothing from who is measured.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator


async def ask(port: int, addresses: Iterator[str], end: float, took: list[float]) -> None:
    """Ask one address after the other over one connection until the time is over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (began := time.monotonic()) < end:
        writer.write(f"GET {next(addresses)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the hub answered {head!r}")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
        await reader.readexactly(int(length))
        took.append(time.monotonic() - began)
    writer.close()


async def main(port: int, connections: int, seconds: float, addresses: list[str]) -> list[float]:
    """Ask over so many connections side by side."""
    took: list[float] = []
    end, turn = time.monotonic() + seconds, itertools.cycle(addresses)
    await asyncio.gather(*(ask(port, turn, end, took) for _ in range(connections)))
    return took


if __name__ == "__main__":
    port, connections, seconds, *addresses = sys.argv[1:]
    print(json.dumps(asyncio.run(main(int(port), int(connections), float(seconds), addresses))))
