"""A world, from its parts to files: published whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.simulate.accounts import DAYS, MICROSECONDS_A_DAY, MODELS, RELEASED_ON, Account
from stillwatch.simulate.background import background, public
from stillwatch.simulate.campaigns import FEBRUARY_2026, Campaign, dispatch, recruit, sizes
from stillwatch.simulate.exchanges import START, START_MICROSECONDS, Renderer
from stillwatch.simulate.rhythm import Rows, conversations, gaps, openings
from stillwatch.simulate.streams import Streams
from stillwatch.simulate.text import NO_LINES, Lines, read_lines
from stillwatch.tables import ACCOUNT_EVENTS, ACCOUNTS, EXCHANGES, MODELS as MODELS_TABLE

BATCH = 50_000  # rows rendered at a time: some 80 MB of text
ROWS_A_FILE = 2_000_000
# Background rows for each background account. With the heavy tail of volumes this puts the account behind the median
# background row at some hundreds of rows, as it is with campaigns: volume alone tells little.
ROWS_AN_ACCOUNT = 80
LEAST_ROWS = 2_000
TRUTH_ACCOUNTS = pa.schema([("account_id", pa.string()), ("population", pa.string()), ("role", pa.string())])
TRUTH_MEMBERSHIPS = pa.schema([("account_id", pa.string()), ("campaign", pa.string())])
TRUTH_EXCHANGES = pa.schema([("exchange_id", pa.string()), ("campaign", pa.string())])


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
    lines = _shuffled(read_lines(text), seed) if text is not None else NO_LINES
    streams, campaigns = _assemble(kind, exchanges, seed)
    if text is not None and len(lines) < 2 * len(streams.streams):
        raise InputError(f"{text}: {len(lines)} lines are too few for {len(streams.streams)} accounts' traffic; give more text or ask for fewer --exchanges")
    rows = _rows(streams, campaigns, exchanges, seed)
    renderer = Renderer(streams, seed, lines)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as e:
        raise EnvironmentFailure(f"{out}: cannot be written ({e.strerror}); choose another folder") from e
    try:
        counts = _write(folder, rows, renderer, streams, campaigns, len(lines) > 0, progress)
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
        raise InputError(f"--exchanges {exchanges}: at least {LEAST_ROWS} are needed for three campaigns and a background")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; choose another or remove it")
    return WORLDS[world]


def _shuffled(lines: Lines, seed: int) -> Lines:
    order = np.random.default_rng([seed, 5]).permutation(len(lines))
    pieces = [lines.pool[lines.at[i] : lines.at[i + 1]] for i in order]
    sizes = np.array([len(p) for p in pieces], np.int64)
    return Lines(np.concatenate(pieces), np.concatenate(([0], np.cumsum(sizes))))


def _assemble(kind: World, exchanges: int, seed: int) -> tuple[Streams, list[Campaign]]:
    """Everybody who is in the world, with rows dealt out to every background stream."""
    s = Streams(seed, kind.name)
    shared = public(s)
    guilty = exchanges // 2 if kind.campaigns else 0
    honest = exchanges - guilty
    background(s, shared, max(60, honest // ROWS_AN_ACCOUNT))
    campaigns = []
    if kind.campaigns:
        for number, (plan, (rows, accounts)) in enumerate(zip(FEBRUARY_2026, sizes(guilty), strict=True)):
            campaigns.append(recruit(s, shared, plan, number, rows, accounts))
    # background streams first, campaign streams behind them in order of campaign
    s.streams.sort(key=lambda x: x.campaign)
    own = [x for x in s.streams if x.campaign < 0]
    weights = np.array([x.weight for x in own])
    # every stream has at least one row; nobody sends more than a fiftieth of the background
    share = weights / weights.sum()
    share = np.minimum(share, 0.02)
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
    stream, turn, opens = conversations(rng, np.array([x.rows for x in own], np.int64), np.array([x.turns for x in own]))
    conversation = np.cumsum(opens) - 1
    by = stream[opens]
    opened = openings(
        rng,
        np.array([x.start for x in own])[by],
        np.array([x.end for x in own])[by],
        np.array([x.profile for x in own], np.int64)[by],
        np.array([x.account.utc_offset for x in own])[by],
        np.array([x.busy for x in own], np.int64)[by],
        by,
    )
    time = opened[conversation] + gaps(rng, turn, np.array([x.gap for x in own])[stream])
    ends = (np.array([x.end for x in own]) * MICROSECONDS_A_DAY).astype(np.int64)[stream]
    numbers = stream.astype(np.int32)
    return Rows(np.minimum(time, ends - 1), numbers, numbers, conversation, turn.astype(np.int32))


def _ordinals(rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The place of each row within its stream, by time."""
    order = np.argsort(rows.stream, kind="stable")
    counts = np.bincount(rows.stream)
    out = np.empty(len(order), np.int64)
    out[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return out


def _write(
    folder: Path, rows: Rows, renderer: Renderer, s: Streams, campaigns: list[Campaign], from_lines: bool,
    progress: Callable[[int, int], None] | None,
) -> list[int]:
    """Write every table; gives each campaign's exchanges."""
    total = len(rows.time)
    names = pa.array([c.plan.name for c in campaigns], pa.string())
    ordinal = _ordinals(rows) if from_lines else None
    counts = np.zeros(len(campaigns), np.int64)
    with pq.ParquetWriter(folder / "truth_exchanges.parquet", TRUTH_EXCHANGES, compression="zstd") as truth:
        for path, first, last in _files(folder, total):
            with _writer(path) as writer:
                for at in range(first, last, BATCH):
                    numbers = np.arange(at, min(at + BATCH, last))
                    batch = renderer.render(rows, numbers, None if ordinal is None else ordinal[numbers])
                    writer.write_batch(batch)
                    campaign = renderer.campaign_of[rows.stream[numbers]]
                    guilty = np.flatnonzero(campaign >= 0)
                    counts += np.bincount(campaign[guilty], minlength=len(campaigns))
                    ids = batch.column(0).take(pa.array(guilty))
                    truth.write_batch(pa.RecordBatch.from_arrays([ids, names.take(pa.array(campaign[guilty]))], schema=TRUTH_EXCHANGES))
                    if progress:
                        progress(int(numbers[-1]) + 1, total)
    _write_accounts(folder, s, campaigns)
    return [int(c) for c in counts]


def _files(folder: Path, total: int) -> Iterator[tuple[Path, int, int]]:
    if total <= ROWS_A_FILE:
        yield folder / "exchanges.parquet", 0, total
        return
    (folder / "exchanges").mkdir()
    for part, first in enumerate(range(0, total, ROWS_A_FILE)):
        yield folder / "exchanges" / f"part-{part:05d}.parquet", first, min(first + ROWS_A_FILE, total)


def _writer(path: Path) -> pq.ParquetWriter:
    # dictionaries only where values repeat: on texts and ids they cost time and hold memory
    few = ["account_id", "key_id", "access_path", "ip", "user_agent", "tls_fingerprint", "model", "system_prompt", "status", "tools.list.element"]
    return pq.ParquetWriter(path, EXCHANGES.schema, compression="zstd", compression_level=1, use_dictionary=few)


def _write_accounts(folder: Path, s: Streams, campaigns: list[Campaign]) -> None:
    # in order of creation, so that the order of the file tells no population
    accounts = sorted(s.register.accounts, key=lambda a: (a.created, a.account_id))
    pq.write_table(_accounts_table(accounts), folder / "accounts.parquet")
    events = sorted((t, a.account_id, field, value) for a in accounts for t, field, value in a.events if t <= DAYS)
    columns = [[e[1] for e in events], [_moment(e[0]) for e in events], [e[2] for e in events], [e[3] for e in events]]
    pq.write_table(_table(ACCOUNT_EVENTS.schema, columns), folder / "account_events.parquet")
    released = [START + timedelta(days=d) for d in RELEASED_ON]
    pq.write_table(_table(MODELS_TABLE.schema, [list(MODELS), released]), folder / "models.parquet")
    truth = [[a.account_id for a in accounts], [a.population for a in accounts], [a.role for a in accounts]]
    pq.write_table(_table(TRUTH_ACCOUNTS, truth), folder / "truth_accounts.parquet")
    members = sorted({(x.account.account_id, c.plan.name) for c in campaigns for x in c.streams})
    columns = [[m[0] for m in members], [m[1] for m in members]]
    pq.write_table(_table(TRUTH_MEMBERSHIPS, columns), folder / "truth_memberships.parquet")


def _table(schema: pa.Schema, columns: list[list[object]]) -> pa.Table:
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _moment(day: float) -> int:
    return START_MICROSECONDS + int(day * MICROSECONDS_A_DAY)


def _accounts_table(accounts: list[Account]) -> pa.Table:
    columns: list[list[object]] = [
        [a.account_id for a in accounts],
        [_moment(a.created) for a in accounts],
        [a.organization_id for a in accounts],
        [a.email_domain for a in accounts],
        [a.email_hash for a in accounts],
        [a.payment for a in accounts],
        [a.phone for a in accounts],
        [a.device for a in accounts],
        [a.country for a in accounts],
        [a.plan for a in accounts],
        [a.programme for a in accounts],
        [a.verification for a in accounts],
        [a.declared_use for a in accounts],
        [a.status for a in accounts],
        [None if a.closed is None else _moment(a.closed) for a in accounts],
    ]
    return _table(ACCOUNTS.schema, columns)
