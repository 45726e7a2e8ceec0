"""Measure Holdfast beside its peers and beside the limit: restarts, takeovers, captured output, start, memory, status.

``python benchmarks/supervision.py [--quick] [--only NAME,...] [--rows crash,takeover,logs,...] [--json FILE]``

Everything in one table comes from one run on one machine, so the ratios count and not the absolute figures.

crash   A round kills one child of every peer with SIGKILL, in a new order each round, a later child of the same peer each
        time, and never one that has lived for less than 1.2 s (runit and s6 wait for a second after a shorter life). The
        clock (CLOCK_MONOTONIC) is read just before the kill; the new child reads it in the first line of its ``main``
        and writes it with its pid into a FIFO of the benchmark. Their difference is the figure, so neither the writing
        nor the benchmark's own waking up is part of it. The next kill of a peer waits for a random part of the longest
        it has taken, so it falls anywhere in the period of a peer that polls. All peers run side by side.
takeover
        A supervisor is killed with SIGKILL, and at once a child that it supervised. The figure goes from just before the
        first kill to the first line of that child's successor, so it holds all that has to happen until services are
        supervised again. Killed is the parent of the child, which is the supervisor itself or, with runit and s6, its
        process for this service (and for one more, whose child lives). A peer that nothing starts again is launched
        anew at once. Six seconds later the living copies of each child are counted: "run twice" is of those services
        that lived while their supervisor was killed; "replaced" are those whose process was ended for a new one.
        As soon as anything runs twice the peer is launched afresh for its next round.
logs    Children write numbered lines of 100 bytes, captured into files of 16 MiB (with many children smaller ones), of
        which a hundred old ones are kept. The clock stops when the last byte stands in the log. CPU is that of
        everything the peer runs but the children. Every line is read again: lost, repeated, and broken ones, which were
        cut or ran into another.
start   From just before the peer's command is run until the last of N children has read the clock in its ``main``.
memory  PSS of everything the peer runs but the children (of Holdfast that is supervisor and watchdog), after it has
        settled, one peer at a time (a Python peer shares the interpreter's pages with this benchmark, which flatters all
        of them alike); CPU time of the same processes while nothing happens, ended children of theirs included.
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
