"""Where followers of files, topics and tables put what they read: durable when `take` returns."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from stillwatch.serve.ingest import records
from stillwatch.serve.ingest.told import Told
from stillwatch.serve.spool import Payload, Spool, SpoolBusy
from stillwatch.sources.lines import Record
from stillwatch.sources.mapping import Chosen


class Stopped(Exception):
    """Told to stop while waiting for room in the spool: nothing of what was handed over is in it."""


class Sink:
    """A spool to followers: waits for room, and counts. joining: whether exchanges wait for what access logs tell;
    about: whether what comes is such an access log."""

    def __init__(
        self, spool: Spool, *, joining: bool, about: bool, chosen: Chosen, stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self._spool = spool
        self._joining = joining
        self._about = about
        self._chosen = chosen
        self.stopping = stopping
        # Called again and again while there is no room, by those who must not fall silent for long.
        self.meanwhile: list[Callable[[], None]] = []
        self.taken = 0
        self.set_aside: Counter[str] = Counter()

    def take(self, format: str, found: Iterable[Record], told: Told) -> None:
        """Bring records of a format to the disk; what is unusable is counted. Raises Stopped."""
        name = records.ABOUT if self._about else format
        payload = records.taken(name, found, self._chosen, told, self._joining or self._about)
        if payload.rows.num_rows or payload.rejected:
            self._bring(Payload(payload.rows, payload.format, self._about, payload.rejected).encoded())
        self.taken += payload.rows.num_rows
        self.set_aside.update(told.by_reason)

    def _bring(self, frame: bytes) -> None:
        while True:
            try:
                self._spool.append(frame).result()
                return
            except SpoolBusy as busy:
                until = time.monotonic() + busy.retry_after
                while time.monotonic() < until:
                    if self.stopping():
                        raise Stopped from busy
                    for call in self.meanwhile:
                        call()
                    time.sleep(0.1)
