"""A look at a file in a process of its own, which may crash, hang or run out of memory.

Libraries in C trust what a file says of itself: a few bits turned over make HDF5 read where
nothing is, or go round in circles. What it does to a child, forked for that, is told; where the
child came to its end, the same steps are safe here.
"""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from gwm_hazard.errors import InputError

#: What a look may take: bytes above those of the process, seconds of work, and one more for each
#: so many bytes of the file.
MOST_BYTES, MOST_SECONDS, BYTES_A_SECOND = 1 << 30, 4, 2 << 20
#: Seconds by the clock for one of work, on a machine that has others to do.
WAITING = 15


def tried(look: Callable[[], None], path: Path) -> None:
    """Do ``look`` in a child; InputError for what it raises there, or for how it ends otherwise.

    Without a fork (Windows) it is done here.
    """
    if not hasattr(os, "fork"):
        look()
        return
    seconds = MOST_SECONDS + path.stat().st_size // BYTES_A_SECOND
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _look(look, writing, int(seconds))
    os.close(writing)
    try:
        with suppress(ChildProcessError):  # where somebody else waits for all children
            os.waitpid(child, 0)
        os.set_blocking(reading, False)
        with suppress(BlockingIOError):
            told = os.read(reading, 1 << 16).decode(errors="replace")
            if told == "done":
                return
            if told:
                raise InputError(told)
    finally:
        os.close(reading)
    raise InputError(
        f"{path}: refused, reading it crashes, takes more than {MOST_BYTES >> 30} GB or {seconds} s"
    )


def _look(look: Callable[[], None], writing: int, seconds: int) -> NoReturn:
    told = "done"
    try:
        _limit(seconds)
        look()
    except InputError as exc:
        told = str(exc) or "refused"
    except BaseException:  # of the forked interpreter nothing may go on
        told = ""
    finally:
        os.write(writing, told.encode(errors="replace")[: 1 << 15])
        os._exit(0)


def _limit(seconds: int) -> None:
    import resource

    faulthandler.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where the C library tells of its end
    for number in (signal.SIGXCPU, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    # A lock that another thread held at the fork is never given back: waiting takes no time of
    # the processor.
    signal.alarm(WAITING * seconds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = Path("/proc/self/statm")
    if held.exists():
        most = int(held.read_text().split()[0]) * resource.getpagesize() + MOST_BYTES
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard == resource.RLIM_INFINITY or most < hard:
            resource.setrlimit(resource.RLIMIT_AS, (most, hard))
