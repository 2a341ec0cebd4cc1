"""Scans as the days pass: each sees what was known by the end of its day and nothing later."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from stillwatch import sources
from stillwatch.evaluate.found import Found, read_found
from stillwatch.evaluate.known import as_of, read_known
from stillwatch.evaluate.sent import Progress, Sent, silent
from stillwatch.evaluate.truth import Truth
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.tables import EXCHANGES

MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Course:
    """How a true campaign fared.

    found_on: the first scanned day at whose end a found campaign had at least two of its members and at least half of
    the accused among them; None where none ever had. delay_days: from its first exchange to the end of that day.
    accounts_active, exchanges_taken: its members that had sent, its exchanges that were sent, by then; the whole where
    it was never found.
    """

    campaign: str
    first_exchange: str
    found_on: str | None
    delay_days: float | None
    members: int
    accounts_active: int
    accounts_accused: int
    exchanges: int
    exchanges_taken: int
    share_taken: float


@dataclass(frozen=True, slots=True)
class Day:
    """What one scan said: found campaigns, accused accounts, of whom not guilty; and what each campaign had taken."""

    day: str
    exchanges: int
    found: int
    accused: int
    innocent_accused: int
    taken: dict[str, int]


@dataclass(frozen=True, slots=True)
class Timeline:
    """All scans and the course of every campaign; a median or worst delay is None where that campaign was not found."""

    every: int
    days: list[Day]
    campaigns: list[Course]
    median_delay_days: float | None
    worst_delay_days: float | None
    median_share_taken: float | None
    worst_share_taken: float | None
    innocent_accused: int


class _History:
    """One true campaign: its members, and when each of its exchanges was sent."""

    def __init__(self, campaign: str, truth: Truth, sent: Sent) -> None:
        self.campaign = campaign
        self.members = truth.campaigns[campaign] & truth.with_role("member")
        own = truth.exchanges.filter(pc.equal(truth.exchanges["campaign"], campaign))
        place = sent.places(own["exchange_id"])
        place = place[place >= 0]
        place = place[np.argsort(sent.time_us[place], kind="stable")]
        self.time_us = sent.time_us[place]
        self._sender = [sent.accounts[n] for n in sent.account[place]]
        self._found: tuple[int, int] | None = None

    def taken(self, day: int) -> int:
        """Its exchanges up to the end of a day (since 1970)."""
        return int(np.searchsorted(self.time_us, (day + 1) * MICROSECONDS_A_DAY))

    def see(self, day: int, found: Found, accused: frozenset[str]) -> None:
        """Note whether the scan of this day is the first to find it."""
        own = [(len(group & self.members), len(group)) for group in found.accused.values()]
        if self._found is None and any(right >= 2 and 2 * right >= size for right, size in own):
            self._found = day, len(accused & self.members)

    def course(self) -> Course:
        """How it fared over all days."""
        day, accused = self._found or (None, 0)
        taken = len(self.time_us) if day is None else self.taken(day)
        delay = None if day is None else ((day + 1) * MICROSECONDS_A_DAY - int(self.time_us[0])) / MICROSECONDS_A_DAY
        return Course(
            self.campaign,
            _moment(0, int(self.time_us[0])).isoformat(),
            None if day is None else _text(day),
            delay,
            len(self.members),
            len(self.members.intersection(self._sender[:taken])),
            accused,
            len(self.time_us),
            taken,
            taken / len(self.time_us),
        )


def timeline(
    world: Path,
    truth: Truth,
    sent: Sent,
    settings: Settings,
    *,
    every: int = 1,
    newest: int | None = None,
    progress: Progress = silent,
) -> Timeline:
    """Scan a world at the end of every `every`-th day and of the last one.

    newest: judge only so many exchanges, those that came last by then, as a service does between judgements of all; of
    whom it did not see all then counts as not accused, since it does nothing about them. The days' traffic lies in a
    scratch folder (in the settings' work_dir, else the system's) while this runs. Raises what a scan raises.
    """
    times = np.sort(sent.time_us)
    first, last = int(times[0]) // MICROSECONDS_A_DAY, int(times[-1]) // MICROSECONDS_A_DAY
    chosen = sorted({*range(first + every - 1, last + 1, every), last})
    histories = [h for h in (_History(name, truth, sent) for name in truth.campaigns) if len(h.time_us)]
    guilty = truth.with_role("member")
    days = []
    wrong: set[str] = set()
    for day, found in _scans(world, chosen, settings, newest, progress):
        accused = frozenset().union(*found.accused.values()) & truth.roles.keys()
        wrong |= accused - guilty
        for history in histories:
            history.see(day, found, accused)
        taken = {h.campaign: h.taken(day) for h in histories}
        known = int(np.searchsorted(times, (day + 1) * MICROSECONDS_A_DAY))
        days.append(Day(_text(day), known, len(found.campaigns), len(accused), len(accused - guilty), taken))
    return _summed(every, days, [h.course() for h in histories], len(wrong))


def _summed(every: int, days: list[Day], courses: list[Course], wrong: int) -> Timeline:
    delays = [np.inf if c.delay_days is None else c.delay_days for c in courses]
    shares = [c.share_taken for c in courses]
    return Timeline(
        every, days, courses, _middle(delays), _most(delays), _middle(shares), _most(shares), innocent_accused=wrong
    )


def _middle(values: list[float]) -> float | None:
    return _finite(float(np.median(values))) if values else None


def _most(values: list[float]) -> float | None:
    return _finite(max(values)) if values else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _scans(
    world: Path, days: list[int], settings: Settings, newest: int | None, progress: Progress
) -> Iterator[tuple[int, Found]]:
    """What a scan at the end of each day finds, of what was known then."""
    known = read_known(world)
    with tempfile.TemporaryDirectory(prefix="stillwatch-timeline.", dir=settings.work_dir) as scratch:
        later, then, out = (Path(scratch) / name for name in ("later", "then", "out"))
        then.mkdir()
        by_day(world, later, progress)
        for number, day in enumerate(days, 1):
            for part in [p for p in later.iterdir() if int(p.name) <= day]:
                part.rename(then / part.name)
            as_of(known, _moment(day + 1)).write(then)
            said = partial(_said, progress, f"Scan {number} of {len(days)}, end of {_text(day)}")
            store = None if newest is None else Path(scratch) / "store"
            scan(Request((str(then),), out, store=store, newest=newest), settings, said)
            yield day, _acted_on(read_found(out))


def _acted_on(found: Found) -> Found:
    """Findings without the accounts of which not all was judged, which nothing is done about."""
    return replace(found, accused={name: of - found.in_part for name, of in found.accused.items()})


def _said(progress: Progress, label: str, _stage: str, done: int, total: int | None) -> None:
    progress(label, done, total)


def by_day(world: Path, folder: Path, progress: Progress) -> None:
    """The world's traffic in one folder a day, named by the day's number since 1970."""
    rejects = sources.Rejects(None)
    inputs = sources.discover((str(world),), rejects=rejects)
    schema = EXCHANGES.schema.append(pa.field("day", pa.int64()))

    def batches() -> Iterator[pa.RecordBatch]:
        rows = 0
        for batch in sources.read(inputs, rejects=rejects):
            day = batch["time"].cast(pa.int64()).to_numpy() // MICROSECONDS_A_DAY
            yield pa.RecordBatch.from_arrays([*batch.columns, pa.array(day, pa.int64())], schema=schema)
            rows += batch.num_rows
            progress("Sorting by day", rows, None)

    ds.write_dataset(
        pa.RecordBatchReader.from_batches(schema, batches()),
        folder,
        format="parquet",
        partitioning=ds.partitioning(pa.schema([("day", pa.int64())])),
        max_partitions=100_000,
        use_threads=False,
    )


def _moment(day: int, us: int = 0) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day, microseconds=us)


def _text(day: int) -> str:
    return _moment(day).date().isoformat()
