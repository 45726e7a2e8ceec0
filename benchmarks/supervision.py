"""Measure Holdfast beside its peers and beside the limit: restarts, start, memory, idle cost, status.

``python benchmarks/supervision.py [--quick] [--only NAME,...] [--rows crash,start,memory,status] [--json FILE]``

Everything in one table comes from one run on one machine, so the ratios count and not the absolute figures.

crash   A round kills one child of every peer with SIGKILL, in a new order each round, a later child of the same peer each
        time, and never one that has lived for less than 1.2 s (runit and s6 wait for a second after a shorter life). The
        clock (CLOCK_MONOTONIC) is read just before the kill; the new child reads it in the first line of its ``main``
        and writes it with its pid into a FIFO of the benchmark. Their difference is the figure, so neither the writing
        nor the benchmark's own waking up is part of it. The next kill of a peer waits for a random part of the longest
        it has taken, so it falls anywhere in the period of a peer that polls. All peers run side by side.
start   From just before the peer's command is run until the last of N children has read the clock in its ``main``.
memory  PSS of everything the peer runs but the children, after it has settled, one peer at a time (a Python peer shares the
        interpreter's pages with this benchmark, which flatters all of them alike); CPU time of the same processes
        while nothing happens, ended children of theirs included.
status  Wall time of the peer's own status command over 100 services, and of its JSON form where it has one.

Each peer runs in a session, a folder and an environment of its own, and everything that carries the name of that folder is
ended afterwards. What a table needs and this machine lacks is installed into a private cache; what cannot be is said.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from benchmarks.main import main

    sys.exit(main(sys.argv[1:]))
