"""Following sources until told to stop: each is polled in turn, and what it gives is durable before it is kept count
of."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from stillwatch.serve.ingest.sink import Stopped


class Follower(Protocol):
    """A source that is followed."""

    def poll(self) -> int:
        """Take what there is now, up to some amount; 0 where there was nothing."""
        ...


def follow(
    followers: Sequence[Follower],
    every: float,
    *,
    once: bool,
    stopping: Callable[[], bool],
    meanwhile: Callable[[], None],
) -> None:
    """Poll until told to stop, or until there is nothing more where `once`.

    every: seconds to wait where nothing came. meanwhile: called after every round.
    """
    while not stopping():
        try:
            read = sum(follower.poll() for follower in followers)
        except Stopped:
            return
        meanwhile()
        if once and not read:
            return
        until = time.monotonic() + (0.0 if read else every)
        while time.monotonic() < until and not stopping():
            time.sleep(min(0.1, max(0.0, until - time.monotonic())))
