"""What the cycle says of itself, for the processes that answer: a small file in the service's folder."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

# A file system that is slow for a moment is no reason to call a cycle dead, and a dead one is to be known in a minute.
BEAT_SECONDS = 5.0
# One that failed may have met a database that was restarted; three in a row are a matter for a person.
MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Pulse:
    """at: when the cycle was last alive; judged, judged_all: when a judgement, and one of all traffic, was last acted
    on, None where none was by this process; all in seconds since 1970. failures: of cycles, in a row."""

    at: float
    judged: float | None = None
    judged_all: float | None = None
    failures: int = 0

    def fault(self, stale_seconds: float) -> str | None:
        """What is wrong, if anything is."""
        if time.time() - self.at > max(stale_seconds, 3 * BEAT_SECONDS):
            return "no sign of the cycle within stale_seconds"
        if self.failures >= MOST_FAILURES:
            return f"the last {self.failures:,} cycles failed"
        return None


class Heart:
    """Writes a cycle's pulse, as long as its process lives."""

    def __init__(self, path: Path | None) -> None:
        """path: the file; None to write nothing."""
        self._path = path
        self._lock = threading.Lock()
        self._now = Pulse(time.time())

    def judged(self, *, of_all: bool) -> None:
        """A judgement was acted on."""
        now = time.time()
        self._tell(lambda pulse: replace(pulse, judged=now, judged_all=now if of_all else pulse.judged_all))

    def cycled(self, *, well: bool) -> None:
        """A cycle is over."""
        self._tell(lambda pulse: replace(pulse, failures=0 if well else pulse.failures + 1))

    def beat(self, stop: threading.Event) -> None:
        """Beat until told to stop; for a thread of its own."""
        self._tell(lambda pulse: pulse)
        while not stop.wait(BEAT_SECONDS):
            self._tell(lambda pulse: pulse)

    def _tell(self, change: Callable[[Pulse], Pulse]) -> None:
        with self._lock:
            self._now = replace(change(self._now), at=time.time())
            if self._path is None:
                return
            new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
            try:
                new.write_text(json.dumps(asdict(self._now)), "utf-8")
                new.replace(self._path)
            except OSError:
                pass  # a full disk is told by what fails with it, and an old pulse by itself


def pulse_of(path: Path) -> Pulse | None:
    """The pulse in a file; None where there is none to be read."""
    try:
        return Pulse(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
