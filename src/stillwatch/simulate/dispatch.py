"""How a campaign's requests are dealt out among its accounts: when, through whom, in which conversation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.simulate.accounts import DAYS, MICROSECONDS_A_DAY, TURNS
from stillwatch.simulate.own_hours import rows_at_own_hours
from stillwatch.simulate.rhythm import Rows, gaps
from stillwatch.simulate.streams import Stream

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Of a run's time the first twentieth is spent on a hundredth of its requests: it is tried before it is scaled.
# Assumption.
TRIED_TIME, TRIED_REQUESTS = 0.05, 0.01
SOONEST_REPLAY, LATEST_REPLAY = 0.5, 10.0  # days after which a conversation is sent again: assumption


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run goes."""

    balanced: bool = False  # requests dealt out in turn, against at random by capacity
    bursts: float = 0.0  # dispatch in bursts of this many hours a day; 0 flows on
    handed_over: float = 0.0  # of conversations, continued in another account
    replayed: float = 0.0  # of requests, an earlier conversation sent again from another account
    own_hours: bool = False  # at the hours of the accounts' holders or customers, instead of a dispatcher's


@dataclass(slots=True)
class Run:
    """Requests of one campaign that are dealt out together, among streams with capacity and life."""

    exchanges: int
    streams: list[Stream]
    start: float
    end: float
    pace: Pace


@dataclass(slots=True)
class Campaign:
    """A campaign in a world."""

    name: str
    runs: list[Run]

    @property
    def exchanges(self) -> int:
        """All its requests."""
        return sum(run.exchanges for run in self.runs)

    @property
    def streams(self) -> list[Stream]:
        """Every stream that carries it."""
        return [x for run in self.runs for x in run.streams]


def dispatch(rng: np.random.Generator, run: Run) -> Rows:
    """The rows of a run; streams are numbered by their place in it, conversations from 0."""
    if run.pace.own_hours:
        deal_rows(rng, run)
        return rows_at_own_hours(rng, run.streams)
    again = round(run.exchanges * run.pace.replayed)
    n = run.exchanges - again
    # the mean number of turns changes every forty requests or so, with the job in hand
    turns = np.repeat(rng.choice(TURNS, n // 40 + 1), 40)[:n]
    opens = rng.random(n) * turns < 1.0
    opens[::40] = True
    at = np.arange(n)
    turn = at - np.maximum.accumulate(np.where(opens, at, 0))
    conversation = np.cumsum(opens) - 1
    when = _opening_times(rng, run, int(opens.sum()))
    dealer = _Dealer(rng, run)
    owner = dealer.deal(when)
    time = when[conversation] + gaps(rng, turn, np.full(n, 15.0)) / MICROSECONDS_A_DAY
    origin = owner[conversation]
    stream = origin.copy()
    moving = (rng.random(int(opens.sum())) < run.pace.handed_over)[conversation] & (turn > 0)
    stream[moving] = dealer.deal(time[moving])
    # a conversation that outlasts its account's life goes on elsewhere
    late = time > dealer.end[stream]
    stream[late] = dealer.deal(time[late])
    time = np.maximum(time, dealer.start[stream])
    rows = Rows(
        _microseconds(time), stream.astype(np.int32), origin.astype(np.int32), conversation, turn.astype(np.int32)
    )
    return _with_replays(rng, run, dealer, rows, again) if again else rows


def deal_rows(rng: np.random.Generator, run: Run) -> None:
    """Say how many rows each stream of a run at own hours has: by capacity and length of life, one at least."""
    share = np.array([x.weight * max(x.end - x.start, 0.2) for x in run.streams])
    spare = run.exchanges - len(run.streams)
    for stream, n in zip(run.streams, rng.multinomial(spare, share / share.sum()), strict=True):
        stream.rows = int(n) + 1


def _with_replays(rng: np.random.Generator, run: Run, dealer: _Dealer, rows: Rows, again: int) -> Rows:
    """The same rows, and earlier conversations sent again in one request each, with all their messages."""
    source = np.flatnonzero(rows.turn > 0)
    source = source[rng.integers(0, len(source), again)] if len(source) else np.zeros(again, np.int64)
    time = rows.time[source] / MICROSECONDS_A_DAY + rng.uniform(SOONEST_REPLAY, LATEST_REPLAY, again)
    # what would come after the end comes at some time between its conversation and the end
    left = np.maximum(run.end - rows.time[source] / MICROSECONDS_A_DAY, 0.01)
    time = np.where(time > run.end, run.end - left * rng.random(again), time)
    stream = dealer.deal(time)
    time = np.maximum(time, dealer.start[stream])
    fresh = int(rows.conversation[-1]) + 1 + np.arange(again)
    return Rows(
        np.concatenate([rows.time, _microseconds(time)]),
        np.concatenate([rows.stream, stream.astype(np.int32)]),
        np.concatenate([rows.origin, rows.origin[source]]),
        np.concatenate([rows.conversation, fresh]),
        np.concatenate([rows.turn, rows.turn[source]]),
        np.concatenate([rows.conversation, rows.conversation[source]]),
    )


def _microseconds(time: Floats) -> Ints:
    micro: Ints = (np.clip(time, 0.0, DAYS - 1e-6) * MICROSECONDS_A_DAY).astype(np.int64)
    return micro


def _opening_times(rng: np.random.Generator, run: Run, count: int) -> Floats:
    """Opening times in days: tried first, then a plateau; in bursts where the pace has them."""
    start, span = run.start, run.end - run.start
    u = rng.random(count)
    scaled = TRIED_TIME + (u - TRIED_REQUESTS) / (1 - TRIED_REQUESTS) * (1 - TRIED_TIME)
    when = start + span * np.where(u < TRIED_REQUESTS, u * TRIED_TIME / TRIED_REQUESTS, scaled)
    if run.pace.bursts:
        # one run a day, beginning at the day's own hour
        day = np.floor(when)
        begin = ((day * 12.9898) % 7.13) / 24.0 + 0.1
        when = np.maximum(start, day + begin + (when - day) * run.pace.bursts / 24.0)
    return np.sort(np.minimum(when, run.end))


class _Dealer:
    """Deals requests to the accounts that are alive, in turn or by capacity."""

    def __init__(self, rng: np.random.Generator, run: Run) -> None:
        self._rng = rng
        self._balanced = run.pace.balanced
        self.start = np.array([x.start for x in run.streams])
        self.end = np.array([x.end for x in run.streams])
        self._weight = np.array([x.weight for x in run.streams])

    def deal(self, when: Floats) -> Ints:
        """A stream for each time; times are handled in bins of three hours (a pool notices a loss about that fast)."""
        out = np.zeros(len(when), np.int64)
        bins = np.floor(when * 8).astype(np.int64)
        order = np.argsort(bins, kind="stable")
        cuts = np.flatnonzero(np.diff(bins[order])) + 1
        for rows in np.split(order, cuts):
            if not len(rows):
                continue
            moment = float(when[rows].mean())
            alive = np.flatnonzero((self.start <= moment) & (self.end > moment))
            if not len(alive):
                alive = np.array([int(np.argmin(np.abs(self.start - moment)))])
            if self._balanced:
                out[rows] = alive[(np.arange(len(rows)) + int(bins[rows[0]])) % len(alive)]
            else:
                ends = np.cumsum(self._weight[alive])
                out[rows] = alive[np.searchsorted(ends, self._rng.random(len(rows)) * ends[-1], side="right")]
        return out
