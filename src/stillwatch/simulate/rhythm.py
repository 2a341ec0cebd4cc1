"""When requests come: conversations over days and hours, and turns within a conversation.

Everything here is arrays over streams, conversations and rows, so that millions of times take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.simulate.accounts import DAYS, MICROSECONDS_A_DAY
from stillwatch.simulate.seeds import fraction, mixed

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

EVENING, OFFICE, ALWAYS, NIGHTLY, SCHOOL = range(5)
# Weight of each local hour. Evening and office shapes follow the day of public web traffic: a trough before dawn at
# a tenth of the peak; assumption as to the exact numbers.
HOURS: Floats = np.array(
    [
        [3, 2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 8, 8, 8, 8, 8, 8, 9, 9, 10, 11, 11, 9, 6],
        [1, 1, 1, 1, 1, 1, 2, 4, 9, 12, 12, 11, 9, 11, 12, 12, 11, 8, 4, 3, 3, 3, 2, 1],
        [1] * 24,
        [0, 4, 12, 6, 1] + [0] * 19,
        [1, 0, 0, 0, 0, 0, 0, 2, 8, 11, 11, 9, 7, 9, 10, 9, 8, 6, 5, 6, 8, 9, 7, 3],
    ],
    np.float64,
)
# Share of a weekend day's requests that are put off to a weekday.
PUT_OFF: Floats = np.array([0.0, 0.7, 0.0, 0.3, 0.5])
LONGEST = 40  # turns; the cap on a conversation


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows before they are rendered, column by column; `conversation` numbers are unique in the world."""

    time: Ints  # microseconds from the world's start
    stream: npt.NDArray[np.int32]
    origin: npt.NDArray[np.int32]  # the stream that opened the conversation
    conversation: Ints
    turn: npt.NDArray[np.int32]
    words: Ints | None = None  # the conversation whose messages are sent again; its own where there are no replays


def joined(blocks: Sequence[Rows]) -> Rows:
    """The rows of all blocks, in time order."""
    order = np.argsort(np.concatenate([b.time for b in blocks]), kind="stable")
    words = None
    if any(b.words is not None for b in blocks):
        words = np.concatenate([b.conversation if b.words is None else b.words for b in blocks])[order]
    return Rows(
        np.concatenate([b.time for b in blocks])[order],
        np.concatenate([b.stream for b in blocks])[order],
        np.concatenate([b.origin for b in blocks])[order],
        np.concatenate([b.conversation for b in blocks])[order],
        np.concatenate([b.turn for b in blocks])[order],
        words,
    )


def conversations(rng: np.random.Generator, rows: Ints, turns: Floats) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Cut each stream's rows into conversations of geometric length with mean `turns`.

    Gives per row its stream, its turn (0 first), and whether it opens a conversation.
    """
    stream = np.repeat(np.arange(len(rows)), rows)
    opens = rng.random(len(stream)) * turns[stream] < 1.0
    first = np.cumsum(rows) - rows
    opens[first[rows > 0]] = True
    at = np.arange(len(stream))
    turn = at - np.maximum.accumulate(np.where(opens, at, 0))
    opens |= turn % LONGEST == 0
    return stream, turn % LONGEST, opens


def gaps(rng: np.random.Generator, turn: Ints, seconds: Floats) -> Ints:
    """Time since the conversation's opening, in microseconds: log-normal gaps around a median of `seconds`."""
    step = np.where(turn > 0, seconds * np.exp(rng.normal(0.0, 1.0, len(turn))), 0.0)
    total = np.cumsum(step)
    at = np.arange(len(turn))
    opening = np.maximum.accumulate(np.where(turn == 0, at, 0))
    since: Ints = ((total - total[opening]) * 1e6).astype(np.int64) if len(turn) else turn
    return since


@dataclass(frozen=True, slots=True)
class Habits:
    """When streams are active, one entry a stream: life in days, profile of hours, and the number of distinct days of
    activity, since people are not at it every day."""

    start: Floats
    end: Floats
    profile: Ints
    utc_offset: Floats
    busy: Ints


def openings(rng: np.random.Generator, habits: Habits, stream: Ints) -> Ints:
    """When each conversation opens, in microseconds from the start; `stream` is each conversation's."""
    n = len(stream)
    start, end, profile = habits.start[stream], habits.end[stream], habits.profile[stream]
    utc_offset, busy = habits.utc_offset[stream], habits.busy[stream]
    slot = (rng.random(n) * busy).astype(np.int64)
    u = fraction(mixed(stream, slot))  # the stream's own busy days
    day = np.floor(start + u * np.maximum(end - start, 1e-9))
    weekend = (day.astype(np.int64) % 7) >= 5  # the world starts on a Monday
    put_off = weekend & (rng.random(n) < PUT_OFF[profile])
    day = np.where(put_off, day - 5 + rng.integers(0, 4, n), day)
    ends = np.cumsum(HOURS, axis=1) / HOURS.sum(axis=1, keepdims=True)
    v = rng.random(n)
    hour = np.empty(n)
    for p in range(len(HOURS)):
        where = profile == p
        hour[where] = np.searchsorted(ends[p], v[where], side="right")
    when = day + (hour + rng.random(n) - utc_offset) / 24.0
    # what falls outside the stream's life happens at its time of day on another day, or at random within a short life
    outside = (when < start) | (when >= end)
    when = np.where(outside, start + rng.random(n) * (end - start), when)
    return (np.clip(when, 0.0, DAYS - 1e-6) * MICROSECONDS_A_DAY).astype(np.int64)
