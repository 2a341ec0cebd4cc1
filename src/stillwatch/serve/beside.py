"""A judgement of all that the store holds, in a process of its own: what comes is judged meanwhile."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# A judgement that is broken off leaves its store in order, so it is not waited for long.
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Whole:
    """A judgement of all: of how many accounts and exchanges, when it began (seconds since 1970), and how many seconds
    it took."""

    accounts: int
    exchanges: int
    began: float
    seconds: float


class Beside:
    """One such judgement, from its start."""

    def __init__(self, judge_all: Callable[..., None], *given: Any) -> None:
        """judge_all: called in the other process with what is given and the end of a pipe, into which it sends its
        `Whole` once its decisions are made and its findings published. All of it must be picklable."""
        context = multiprocessing.get_context("spawn")
        self._told, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=judge_all, args=(*given, theirs), name="judgement of all")
        self.began = time.time()
        self._process.start()
        theirs.close()

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self._process.is_alive()

    def told(self) -> Whole | None:
        """What came of it, once it is over; None where it failed."""
        try:
            return self._told.recv() if self._told.poll() else None
        except EOFError:
            return None
        finally:
            self._told.close()
            self._process.join()

    def stop(self) -> None:
        """Break it off."""
        self._process.terminate()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._told.close()
