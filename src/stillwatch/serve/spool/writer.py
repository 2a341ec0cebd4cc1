"""Appending to the spool: one thread writes what many requests hand over, and one sync to disk serves them all."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from stillwatch.errors import StillwatchError
from stillwatch.serve.spool.key import Key
from stillwatch.serve.spool.segment import Recovered, Writing, expired, recovered, used

log = logging.getLogger("stillwatch.spool")

# Beyond this a group waits for the next sync: at 200 MB/s of a modest disk it is written in 80 ms.
GROUP_BYTES = 16 << 20
# How stale the count of bytes on disk may be; listing a folder of some hundred files takes under a millisecond.
COUNT_EVERY = 0.25
EXPIRE_EVERY = 60.0


class SpoolBusy(StillwatchError):
    """The spool takes nothing now, and nothing of what was handed over is in it: send it again later."""

    exit_status = 4

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the spool holds on disk and in memory (bytes), after how many seconds an undrained segment is removed,
    and when a segment is sealed, which is when it may be drained."""

    disk: int = 4 << 30
    memory: int = 64 << 20
    expire_seconds: float = 72 * 3600.0
    segment_bytes: int = 64 << 20
    segment_seconds: float = 2.0


class Spool:
    """One process's way into a spool; several may write to one, each to segments of its own."""

    def __init__(self, folder: Path, key: Key, limits: Limits | None = None) -> None:
        self.folder = folder
        self.limits = limits or Limits()
        self.found: Recovered = recovered(folder, key)
        self.expired = 0
        self._key = key
        self._waiting: deque[tuple[bytes, Future[None]]] = deque()
        self._queued = 0
        self._used = used(folder)
        self._counted = time.monotonic()
        self._looked = 0.0
        self._ready = threading.Condition()
        self._closing = False
        self._writing: Writing | None = None
        self._begun = 0.0
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    @property
    def used(self) -> int:
        """Bytes on disk and on their way there."""
        self._count()
        return self._used + self._queued

    @property
    def full(self) -> bool:
        """Whether there is no room until something is drained."""
        return self.used >= self.limits.disk

    def append(self, payload: bytes) -> Future[None]:
        """Hand over one payload; the future is done once it is on disk, or has the error for which it is not.

        Raises SpoolBusy where there is no room.
        """
        with self._ready:
            if self._closing:
                raise SpoolBusy("the service is shutting down", 5)
            if self._queued + len(payload) > self.limits.memory and self._waiting:
                raise SpoolBusy("more is coming than the disk takes", 1)
            if self._used + self._queued + len(payload) > self.limits.disk:
                self._count()
                if self._used + self._queued + len(payload) > self.limits.disk:
                    raise SpoolBusy("the spool is full until it is drained", 10)
            if not self._thread.is_alive():
                raise SpoolBusy("the spool is not written to any more: start the service anew", 10)
            done: Future[None] = Future()
            done.set_running_or_notify_cancel()  # a sender that goes away does not take its batch out of the group
            self._waiting.append((payload, done))
            self._queued += len(payload)
            self._ready.notify()
        return done

    def close(self) -> None:
        """Write what was handed over, seal, and take no more."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join()

    def _count(self) -> None:
        if time.monotonic() - self._counted >= COUNT_EVERY:
            self._used, self._counted = used(self.folder), time.monotonic()

    def _run(self) -> None:
        while True:
            group, closing = self._group()
            if group:
                self._commit(group)
            if self._writing is not None and (closing or self._due()):
                self._seal()
            self._expire()
            if closing and not group:
                return

    def _group(self) -> tuple[list[tuple[bytes, Future[None]]], bool]:
        """What waits, as much as one sync is for, and whether this is the end; waits for it where nothing does."""
        with self._ready:
            if not self._waiting and not self._closing:
                self._ready.wait(self._patience())
            group: list[tuple[bytes, Future[None]]] = []
            size = 0
            while self._waiting and (not group or size + len(self._waiting[0][0]) <= GROUP_BYTES):
                group.append(self._waiting.popleft())
                size += len(group[-1][0])
            return group, self._closing

    def _patience(self) -> float:
        if self._writing is None:
            return EXPIRE_EVERY
        return max(0.0, self._begun + self.limits.segment_seconds - time.monotonic())

    def _due(self) -> bool:
        writing = self._writing
        return writing is not None and (
            writing.size >= self.limits.segment_bytes or time.monotonic() - self._begun >= self.limits.segment_seconds
        )

    def _commit(self, group: list[tuple[bytes, Future[None]]]) -> None:
        size = sum(len(payload) for payload, _ in group)
        try:
            if self._writing is None:
                self._writing, self._begun = Writing(self.folder, self._key), time.monotonic()
            for payload, _ in group:
                self._writing.append(payload)
            self._writing.sync()
        except Exception as error:
            # What a failed sync has left in the cache may never reach the disk, whatever a later one says.
            self._seal()
            log.error("the spool cannot be written", exc_info=error)
            self._written(size)
            for _, done in group:
                done.set_exception(SpoolBusy("the spool cannot be written", 10))
            return
        self._written(size)
        for _, done in group:
            done.set_result(None)

    def _written(self, size: int) -> None:
        with self._ready:
            self._queued -= size
            self._used += size

    def _seal(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            try:
                writing.seal()
            except OSError as error:
                log.error("a segment of the spool cannot be sealed; it will be at the next start", exc_info=error)

    def _expire(self) -> None:
        if time.monotonic() - self._looked < EXPIRE_EVERY:
            return
        self._looked = time.monotonic()
        try:
            gone = expired(self.folder, self.limits.expire_seconds)
        except (OSError, StillwatchError) as error:
            log.error("the spool cannot be looked over for what has expired", exc_info=error)
            return
        if gone:
            self.expired += len(gone)
            log.warning("segments of the spool that nobody drained in time were removed")
