"""Traffic at its senders' own hours: whose conversation opens when, how it goes on, who continues it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stillwatch.simulate.accounts import MICROSECONDS_A_DAY
from stillwatch.simulate.rhythm import Habits, Rows, conversations, gaps, openings
from stillwatch.simulate.streams import Stream

Ints = npt.NDArray[np.int64]


def rows_at_own_hours(rng: np.random.Generator, streams: Sequence[Stream]) -> Rows:
    """The rows of streams whose numbers of rows are known; streams are numbered by their place in the sequence."""
    stream, turn, opens = conversations(
        rng, np.array([x.rows for x in streams], np.int64), np.array([x.turns for x in streams])
    )
    conversation = np.cumsum(opens) - 1
    habits = Habits(
        np.array([x.start for x in streams]),
        np.array([x.end for x in streams]),
        np.array([x.profile for x in streams], np.int64),
        np.array([x.account.utc_offset for x in streams]),
        np.array([x.busy for x in streams], np.int64),
    )
    opened = openings(rng, habits, stream[opens])
    time = opened[conversation] + gaps(rng, turn, np.array([x.gap for x in streams])[stream])
    ends = (np.array([x.end for x in streams]) * MICROSECONDS_A_DAY).astype(np.int64)[stream]
    origin = stream.astype(np.int32)
    sender = _handed_over(rng, streams, stream, turn, time).astype(np.int32)
    return Rows(np.minimum(time, ends - 1), sender, origin, conversation, turn.astype(np.int32))


def _handed_over(rng: np.random.Generator, streams: Sequence[Stream], stream: Ints, turn: Ints, time: Ints) -> Ints:
    """Who sends each row where streams of a group continue one another's conversations: a third of the later turns."""
    groups: dict[int, list[int]] = {}
    for i, x in enumerate(streams):
        if x.handover:
            groups.setdefault(x.handover, []).append(i)
    if not groups:
        return stream
    peers = [i for g in groups.values() for i in g]
    first = np.zeros(len(streams), np.int64)
    many = np.zeros(len(streams), np.int64)
    at = 0
    for g in groups.values():
        first[g], many[g] = at, len(g)
        at += len(g)
    moving = (many[stream] > 1) & (turn > 0) & (rng.random(len(stream)) < 1 / 3)
    chosen = first[stream] + (rng.random(len(stream)) * many[stream]).astype(np.int64)
    peer = np.array(peers, np.int64)[np.minimum(chosen, len(peers) - 1)]
    start, end = np.array([x.start for x in streams]), np.array([x.end for x in streams])
    day = time / MICROSECONDS_A_DAY
    return np.where(moving & (start[peer] <= day) & (day < end[peer]), peer, stream)
