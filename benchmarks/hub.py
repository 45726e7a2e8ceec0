"""Measure the hub: pings, sweeps, from the commit to the message, start, memory, idling, and its store alone.

``python benchmarks/hub.py [--quick] [--rows store,pings,sweep,telling,process] [--on FOLDER] [--json FILE]``

Everything in one table comes from one run on one machine and one disk, so the ratios count and not the absolute figures.
The hub runs as its own process as `up` starts it, without a supervisor; what loads it is a process of its own too.

store   A transaction saves a row of 200 bytes and is answered once that is on disk (WAL, ``synchronous=FULL``). So many
        callers ask side by side, each the next one as soon as the last was answered; times are read by the caller. "one
        commit each" is the same statement over the same settings in a plain loop of ``sqlite3``: what a store without
        group commit could reach at most.
pings   GET to the ping addresses of 100 checks over so many connections that stay open, each asking anew once it was
        answered, which is when the ping is on disk. Beside it one answer of the same server that touches no disk.
sweep   One transaction that looks at every check that is due and saves what it decides, commit included, seen from the
        caller; in the process of the benchmark, so nothing else runs.
telling From the answer to a ping that says "failed", which is sent once it is committed, until the webhook has the message;
        and 1,000 checks that expire at the same moment until the webhook has heard of each. Evaluated every second, confirmed
        by one look, nothing gathered; a storm as this one is held back for one round, which is in the figure.
process From the start of the process until it says that it is ready, PSS after it has settled, CPU while nothing happens.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from benchmarks.hub_main import main

    sys.exit(main(sys.argv[1:]))
