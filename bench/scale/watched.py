"""A command and all that it starts, watched: elapsed and processor time, peak memory, peak disk."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# Often enough to see a peak that lasts half a second; a look takes a few milliseconds.
EVERY = 0.25
PAGE = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Watched:
    """outcome: "done", "did not finish" or "failed". seconds: elapsed; processor: of all processes. memory, disk: peaks
    in bytes, of the resident memory of all processes and of all files in a folder. load: how many processes wanted a
    core when it began."""

    outcome: str
    seconds: float
    processor: float
    memory: int
    disk: int
    load: float

    def told(self) -> dict[str, Any]:
        return asdict(self)


def watched(command: Sequence[str], log: Path, folder: Path, limit: float | None = None) -> Watched:
    """Run a command to its end or to the limit (seconds), its output into `log`. folder: whose size is watched."""
    load, began = os.getloadavg()[0], time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    peaks, ended = [0, 0], threading.Event()

    def watch() -> None:
        while not ended.wait(EVERY):
            peaks[0] = max(peaks[0], memory(process.pid))
            peaks[1] = max(peaks[1], size(folder))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        outcome = "done" if process.wait(limit) in (0, 3) else "failed"
    except subprocess.TimeoutExpired:
        outcome = "did not finish"
    finally:
        ended.set()
        watching.join()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Watched(outcome, round(seconds, 2), round(processor, 2), peaks[0], peaks[1], round(load, 1))


def memory(session: int) -> int:
    """Resident bytes of every process of a session, memory that several share counted once for each."""
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                total += int(fields[21]) * PAGE
        except (OSError, IndexError):
            continue  # it has ended
    return total


def size(folder: Path) -> int:
    """Bytes of all files in a folder, as they lie on the disk."""
    total = 0
    for here, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(here, name)).st_blocks * 512  # noqa: PTH118
            except OSError:
                continue
    return total
