"""Does an https address answer with success? Asked by a child: OpenSSL would cost the supervisor 8 MB for good."""

import os
import sys
from pathlib import Path

from holdfast.errors import StartFailed
from holdfast.machine.probes.command import judged
from holdfast.machine.probes.errand import VARIABLE, Errands
from holdfast.machine.process.launch import Launch
from holdfast.model.finding import WELL, Finding, failed, unknown

CHILD = Path(__file__).with_name("https_child.py")

MOST_SAID = 1 << 12
"""Bytes read of what the child says."""

_PASSED_ON = ("PATH", "SYSTEMROOT", "SSL_CERT_FILE", "SSL_CERT_DIR")


async def look(errands: Errands, url: str, within: float, home: str) -> Finding:
    """Have a child ask for a page, and judge the status of the answer as for http."""
    hear, say = os.pipe()
    try:
        ended = await errands.run(_launch(url, within, home, say))
        os.close(say)
        say = -1
        said = os.read(hear, MOST_SAID).decode(errors="replace").strip()
    except StartFailed as error:
        return unknown(str(error))
    finally:
        os.close(hear)
        if say >= 0:
            os.close(say)
    if ended.is_success:
        return WELL
    return failed(said) if said else judged(ended)


def _launch(url: str, within: float, home: str, say: int) -> Launch:
    own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return Launch(
        argv=(sys.executable, "-I", "-S", str(CHILD), url, str(within)),
        env=own | {VARIABLE: home},
        stdout=say,
    )
