"""A world, from its parts to files: published whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.simulate.dispatch import Campaign, dispatch
from stillwatch.simulate.exchanges import Renderer
from stillwatch.simulate.lines import NO_LINES, read_lines, shuffled
from stillwatch.simulate.own_hours import rows_at_own_hours
from stillwatch.simulate.publish import write_accounts, write_exchanges
from stillwatch.simulate.rhythm import Rows, joined
from stillwatch.simulate.streams import Asked, Streams
from stillwatch.simulate.worlds import LEAST_ROWS, WORLDS, World


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
    attackers: float | None = None,
    extraction: float | None = None,
    evasions: Collection[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Write a labelled world into `out`, which must be absent or an empty folder.

    `exchanges` counts all rows. `text` is a folder of .txt or .jsonl files (also .gz) to draw payloads from.
    `attackers` (a share of accounts) and `extraction` (a share of an attacking account's exchanges) belong to the world
    `mixture`, `evasions` to `careful`. `progress` is called with rows done and rows in all. The same arguments give the
    same bytes of every table. Raises InputError for arguments that cannot be met, EnvironmentFailure where the disk
    fails.
    """
    chosen = None if evasions is None else frozenset(evasions)
    asked = Asked(exchanges, attackers=attackers, extraction=extraction, evasions=chosen)
    kind = _check(out, world, asked)
    lines = shuffled(read_lines(text), seed) if text is not None else NO_LINES
    streams, campaigns = _assemble(kind, asked, seed)
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
        names = [c.name for c in campaigns]
        counts = write_exchanges(folder, rows, renderer, names, layers=kind.layers, progress=progress)
        write_accounts(folder, streams, names, layers=kind.layers)
        folder.chmod(0o755)
        if out.exists():
            out.rmdir()
        folder.rename(out)
    except OSError as e:
        raise EnvironmentFailure(f"{out}: writing failed ({e.strerror}); nothing was kept") from e
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = {c.name: (len({s.account.number for s in c.streams}), counts[i]) for i, c in enumerate(campaigns)}
    return Summary(out, world, exchanges, len(streams.register.accounts), found)


def _check(out: Path, world: str, asked: Asked) -> World:
    if world not in WORLDS:
        raise InputError(f"--world {world}: unknown; there are {', '.join(WORLDS)}")
    kind = WORLDS[world]
    for option in ("attackers", "extraction", "evasions"):
        if getattr(asked, option) is not None and option not in kind.options:
            takers = ", ".join(w.name for w in WORLDS.values() if option in w.options)
            raise InputError(f"--{option}: --world {world} does not take it, only {takers} does; leave it out")
    if asked.exchanges < LEAST_ROWS:
        raise InputError(
            f"--exchanges {asked.exchanges}: at least {LEAST_ROWS} are needed for three campaigns and a background"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists and is not an empty folder; choose another or remove it")
    return kind


def _assemble(kind: World, asked: Asked, seed: int) -> tuple[Streams, list[Campaign]]:
    """Everybody who is in the world, with rows dealt out to every background stream."""
    s = Streams(seed, kind.name, kind.start)
    campaigns = kind.fill(s, asked)
    honest = asked.exchanges - sum(c.exchanges for c in campaigns)
    # background streams first, campaign streams behind them in order of campaign
    s.streams.sort(key=lambda x: x.campaign)
    _deal(s, honest)
    return s, campaigns


def _deal(s: Streams, honest: int) -> None:
    """Say how many rows each background stream has."""
    own = [x for x in s.streams if x.campaign < 0 and not x.rows]
    honest -= sum(x.rows for x in s.streams if x.campaign < 0)
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


def _rows(s: Streams, campaigns: list[Campaign], exchanges: int, seed: int) -> Rows:
    """All rows of a world, in time order."""
    rng = np.random.default_rng([seed, 1])
    blocks = [rows_at_own_hours(rng, [x for x in s.streams if x.campaign < 0])]
    number = {id(x): i for i, x in enumerate(s.streams)}
    conversation = int(blocks[0].conversation[-1]) + 1
    for run in (run for c in campaigns for run in c.runs):
        block = dispatch(rng, run)
        for x, n in zip(run.streams, np.bincount(block.stream, minlength=len(run.streams)), strict=True):
            x.rows = int(n)
        numbers = np.array([number[id(x)] for x in run.streams], np.int32)
        words = None if block.words is None else block.words + conversation
        blocks.append(
            Rows(
                block.time,
                numbers[block.stream],
                numbers[block.origin],
                block.conversation + conversation,
                block.turn,
                words,
            )
        )
        conversation += int(block.conversation.max()) + 1
    rows = joined(blocks)
    assert len(rows.time) == exchanges
    return rows
