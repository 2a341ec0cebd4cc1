"""A world, from its parts to files: published whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.simulate.accounts import MICROSECONDS_A_DAY
from stillwatch.simulate.background import background
from stillwatch.simulate.campaigns import FEBRUARY_2026, LEAST_EXCHANGES, Campaign, dispatch, recruit, sizes
from stillwatch.simulate.exchanges import Renderer
from stillwatch.simulate.lines import NO_LINES, read_lines, shuffled
from stillwatch.simulate.public import public
from stillwatch.simulate.publish import write_accounts, write_exchanges
from stillwatch.simulate.rhythm import Habits, Rows, conversations, gaps, openings
from stillwatch.simulate.streams import Stream, Streams

Ints = npt.NDArray[np.int64]

# Background rows for each background account. With the heavy tail of volumes this puts the account behind the median
# background row at some hundreds of rows, as it is with campaigns: volume alone tells little.
ROWS_AN_ACCOUNT = 110
# Three campaigns of the least size, and as much background.
LEAST_ROWS = 2 * 3 * LEAST_EXCHANGES


@dataclass(frozen=True, slots=True)
class World:
    """A sort of world: what it is, and whether campaigns are in it."""

    name: str
    meaning: str
    campaigns: bool


WORLDS: dict[str, World] = {
    w.name: w
    for w in (
        World("february-2026", "three campaigns after the disclosure of February 2026 in a mixed background", True),
        World("ordinary", "the same background with its look-alikes, and no campaign at all", False),
    )
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written."""

    out: Path
    world: str
    exchanges: int
    accounts: int
    campaigns: dict[str, tuple[int, int]]  # accounts (members and victims) and exchanges of each


def simulate(
    out: Path,
    *,
    world: str = "february-2026",
    exchanges: int = 100_000,
    seed: int = 0,
    text: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write a labelled world into `out`, which must be absent or an empty folder.

    `exchanges` counts all rows; half of them are background. `text` is a folder of .txt or .jsonl files (also .gz) to
    draw payloads from. `progress` is called with rows done and rows in all. The same arguments give the same bytes of
    every table. Raises InputError for arguments that cannot be met, EnvironmentFailure where the disk fails.
    """
    kind = _check(out, world, exchanges)
    lines = shuffled(read_lines(text), seed) if text is not None else NO_LINES
    streams, campaigns = _assemble(kind, exchanges, seed)
    if text is not None and len(lines) < 2 * len(streams.streams):
        raise InputError(
            f"{text}: {len(lines)} lines are too few for {len(streams.streams)} accounts' traffic; "
            "give more text or ask for fewer --exchanges"
        )
    rows = _rows(streams, campaigns, exchanges, seed)
    renderer = Renderer(streams, seed, lines)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as e:
        raise EnvironmentFailure(f"{out}: cannot be written ({e.strerror}); choose another folder") from e
    try:
        names = [c.plan.name for c in campaigns]
        counts = write_exchanges(folder, rows, renderer, names, progress)
        write_accounts(folder, streams, names)
        folder.chmod(0o755)
        if out.exists():
            out.rmdir()
        folder.rename(out)
    except OSError as e:
        raise EnvironmentFailure(f"{out}: writing failed ({e.strerror}); nothing was kept") from e
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = {c.plan.name: (len({s.account.number for s in c.streams}), counts[i]) for i, c in enumerate(campaigns)}
    return Summary(out, world, exchanges, len(streams.register.accounts), found)


def _check(out: Path, world: str, exchanges: int) -> World:
    if world not in WORLDS:
        raise InputError(f"--world {world}: unknown; there are {', '.join(WORLDS)}")
    if exchanges < LEAST_ROWS:
        raise InputError(
            f"--exchanges {exchanges}: at least {LEAST_ROWS} are needed for three campaigns and a background"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; choose another or remove it")
    return WORLDS[world]


def _assemble(kind: World, exchanges: int, seed: int) -> tuple[Streams, list[Campaign]]:
    """Everybody who is in the world, with rows dealt out to every background stream."""
    s = Streams(seed, kind.name)
    guilty = exchanges // 2 if kind.campaigns else 0
    honest = exchanges - guilty
    accounts = max(60, honest // ROWS_AN_ACCOUNT)
    shared = public(s, accounts)
    background(s, shared, accounts)
    campaigns = []
    if kind.campaigns:
        for number, (plan, (rows, accounts)) in enumerate(zip(FEBRUARY_2026, sizes(guilty), strict=True)):
            campaigns.append(recruit(s, shared, plan, number=number, exchanges=rows, accounts=accounts))
    # background streams first, campaign streams behind them in order of campaign
    s.streams.sort(key=lambda x: x.campaign)
    own = [x for x in s.streams if x.campaign < 0]
    weights = np.array([x.weight for x in own])
    # every stream has at least one row; nobody sends more than a thirtieth of the background
    share = weights / weights.sum()
    share = np.minimum(share, 0.03)
    wanted = share / share.sum() * (honest - len(own))
    floor = np.floor(wanted).astype(np.int64)
    short = honest - len(own) - int(floor.sum())
    floor[np.argsort(wanted - floor)[::-1][:short]] += 1
    for stream, n in zip(own, floor, strict=True):
        stream.rows = int(n) + 1
    return s, campaigns


def _rows(s: Streams, campaigns: list[Campaign], exchanges: int, seed: int) -> Rows:
    """All rows of a world, in time order."""
    rng = np.random.default_rng([seed, 1])
    own = [x for x in s.streams if x.campaign < 0]
    blocks = [_background_rows(rng, s)]
    stream, conversation = len(own), int(blocks[0].conversation[-1]) + 1
    for c in campaigns:
        blocks.append(dispatch(rng, c, stream, conversation))
        for x, n in zip(c.streams, np.bincount(blocks[-1].stream - stream, minlength=len(c.streams)), strict=True):
            x.rows = int(n)
        stream, conversation = stream + len(c.streams), int(blocks[-1].conversation.max()) + 1
    order = np.argsort(np.concatenate([b.time for b in blocks]), kind="stable")
    rows = Rows(
        np.concatenate([b.time for b in blocks])[order],
        np.concatenate([b.stream for b in blocks])[order],
        np.concatenate([b.origin for b in blocks])[order],
        np.concatenate([b.conversation for b in blocks])[order],
        np.concatenate([b.turn for b in blocks])[order],
    )
    assert len(rows.time) == exchanges
    return rows


def _background_rows(rng: np.random.Generator, s: Streams) -> Rows:
    own = [x for x in s.streams if x.campaign < 0]
    stream, turn, opens = conversations(
        rng, np.array([x.rows for x in own], np.int64), np.array([x.turns for x in own])
    )
    conversation = np.cumsum(opens) - 1
    habits = Habits(
        np.array([x.start for x in own]),
        np.array([x.end for x in own]),
        np.array([x.profile for x in own], np.int64),
        np.array([x.account.utc_offset for x in own]),
        np.array([x.busy for x in own], np.int64),
    )
    opened = openings(rng, habits, stream[opens])
    time = opened[conversation] + gaps(rng, turn, np.array([x.gap for x in own])[stream])
    ends = (np.array([x.end for x in own]) * MICROSECONDS_A_DAY).astype(np.int64)[stream]
    origin = stream.astype(np.int32)
    sender = _handed_over(rng, own, stream, turn, time).astype(np.int32)
    return Rows(np.minimum(time, ends - 1), sender, origin, conversation, turn.astype(np.int32))


def _handed_over(rng: np.random.Generator, own: list[Stream], stream: Ints, turn: Ints, time: Ints) -> Ints:
    """Who sends each row where streams of a group continue one another's conversations: a third of the later turns."""
    groups: dict[int, list[int]] = {}
    for i, x in enumerate(own):
        if x.handover:
            groups.setdefault(x.handover, []).append(i)
    if not groups:
        return stream
    peers = [i for g in groups.values() for i in g]
    first = np.zeros(len(own), np.int64)
    many = np.zeros(len(own), np.int64)
    at = 0
    for g in groups.values():
        first[g], many[g] = at, len(g)
        at += len(g)
    moving = (many[stream] > 1) & (turn > 0) & (rng.random(len(stream)) < 1 / 3)
    chosen = first[stream] + (rng.random(len(stream)) * many[stream]).astype(np.int64)
    peer = np.array(peers, np.int64)[np.minimum(chosen, len(peers) - 1)]
    start, end = np.array([x.start for x in own]), np.array([x.end for x in own])
    day = time / MICROSECONDS_A_DAY
    return np.where(moving & (start[peer] <= day) & (day < end[peer]), peer, stream)
