"""Progress of the processes that draw waveforms for fields, as lines in the log."""

import logging
import multiprocessing
import os
import time

log = logging.getLogger(__name__)

#: Seconds between lines of a process.
EVERY_S = 60.0


class Progress:
    """Lines in the log of a process that draws, no more than one a minute."""

    def __init__(self) -> None:
        self._start = self._said = time.monotonic()
        self._drawn = 0

    def add(self, n: int) -> None:
        """Count ``n`` waveforms."""
        self._drawn += n
        now = time.monotonic()
        if now - self._said < EVERY_S:
            return
        self._said = now
        if multiprocessing.parent_process() is not None and not log.hasHandlers():
            # A worker of OpenQuake has no handler: its lines go where its warnings go.
            log.addHandler(logging.StreamHandler())
            log.setLevel(logging.INFO)
        rate = self._drawn / (now - self._start)
        log.info(
            "process %d: %s waveforms drawn for fields, %.0f a second",
            os.getpid(),
            f"{self._drawn:,}",
            rate,
        )
