"""Measure state files of Holdfast beside other ways to write them and beside the limit.

``python benchmarks/statefile.py [--quick] [--only NAME,...] [--tables full,file,atomic,update,inspect] [--on FOLDER] [--json FILE]``

Everything in one table comes from one run on one disk, so the ratios count and not the absolute figures.

full, file, atomic
        One file is replaced again and again, with other bytes each time. A round lets every writer take a few turns, in a
        new order each round, so that what else the disk does falls on all alike. The figure is the time from just before
        the call until it returns (CLOCK_MONOTONIC, read by the process that writes), the median over all rounds. "x C" is
        the median of the ratios to the C loop within one round. First turns, which make the files, are not counted. A
        writer stands in the table of what it guarantees, not of what it costs.
update  The same for a JSON document that is read, changed and written back under a lock.
inspect A look at a folder of 1,000 entries: what did crashes leave there?

The C loop makes the system calls that a level cannot do without, and nothing else: no lock, no look at the old file, no
permissions kept, the folder open already. What is written in Python is measured in one process; the C loop and Node have one
each, and all of them live as long as the benchmark. Peers are installed into a private cache; what cannot be is said.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from benchmarks.statefile_main import main

    sys.exit(main(sys.argv[1:]))
