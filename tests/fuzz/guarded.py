"""Run attempts with damaged input in this process, under a watchdog and a limit of memory; report offences.

Called by the tests as a process of its own: what crashes, hangs or fills the memory is then told by number,
and can be run again alone: `python tests/fuzz/guarded.py AREA FOLDER FIRST COUNT`.
"""

import faulthandler
import importlib
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path

from brainmri.errors import BrainmriError

SECONDS = 5  # of the processor, however busy the machine is
WAITING_SECONDS = 120  # of the clock, where an attempt waits for what never comes
GROWTH = 1 << 30  # bytes
# The address space is bounded too, so that a bomb ends this process and not the machine.
SPACE = 6 << 30
LONGEST_SENTENCE = 1500
SHOWN = 20


def peak() -> int:
    """Return the most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def space() -> int:
    """Return this process's address space, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def is_sentence(text: str) -> bool:
    """Tell whether a message is one for people."""
    return 10 < len(text) < LONGEST_SENTENCE and text.rstrip()[-1] in ".)?" and "Traceback" not in text


def main(area: str, folder: str, first: int, count: int) -> None:
    """Run the attempts `first` to `first + count` of an area, and print what was wrong as JSON."""
    module = importlib.import_module(area)
    attempt = module.prepare(Path(folder))
    if Path("/proc/self/statm").exists():
        resource.setrlimit(resource.RLIMIT_AS, (space() + SPACE,) * 2)
    # Past its seconds the process ends as the kernel ends it, and tells where it was.
    faulthandler.register(signal.SIGPROF, chain=True)
    offences, endings = [], {}
    for number in range(first, first + count):
        Path(folder, "current").write_text(str(number))
        before = peak()
        faulthandler.dump_traceback_later(WAITING_SECONDS, exit=True)
        signal.setitimer(signal.ITIMER_PROF, getattr(module, "SECONDS", SECONDS))
        try:
            ending = attempt(number)
        except BrainmriError as error:
            ending = "sentence"
            if not is_sentence(str(error)):
                offences.append([number, f"no sentence: {error}"])
        except Exception:
            ending = "traceback"
            offences.append([number, traceback.format_exc(limit=-6)])
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.cancel_dump_traceback_later()
        endings[ending] = endings.get(ending, 0) + 1
        if peak() - before > GROWTH:
            offences.append([number, f"took {(peak() - before) >> 20} MiB"])
    print(json.dumps({"offences": offences[:SHOWN], "count": len(offences), "endings": endings}))


if __name__ == "__main__":
    start = time.process_time()
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    print(f"{time.process_time() - start:.1f} s of one core", file=sys.stderr)
