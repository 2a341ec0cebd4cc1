"""What is done to a store between scans: verified, compacted, exported."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine import DuckDB
from stillwatch.errors import InputError
from stillwatch.store import key, parts, sql, states
from stillwatch.store.kept import link, reopened, writing
from stillwatch.store.manifest import SCHEMAS, Manifest, Part
from stillwatch.tables import ENRICHED

# A part that is smaller than half a full one can be merged with another without exceeding one.
SMALL = parts.PART_ROWS // 2

# Told how many exchanges are done, and of how many.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a store holds, and every fault in it, each in a line."""

    exchanges: int
    parts: int
    sources: int
    faults: list[str]


def verify(folder: Path, progress: Progress) -> Verified:
    """Compare a store with its manifest: version, key, and every part's digest, columns and rows."""
    with states.held(folder) as manifest:
        faults = [fault] if (fault := manifest.fault()) is not None else []
        own = folder / key.FILE
        if own.exists() and key.key_id(key.read_key(own)) != manifest.key_id:
            faults.append(f"{key.FILE}: not the key that the store was made with")
        read = sum(source.rows for source in manifest.sources)
        if read != manifest.rows + manifest.expired:
            faults.append(
                f"{read:,} exchanges were read from its sources, {manifest.rows:,} are in its parts and "
                f"{manifest.expired:,} have expired"
            )
        done = 0
        for table, members in manifest.tables.items():
            for part in members:
                if (fault := _fault(folder, table, part)) is not None:
                    faults.append(f"{part.name}: {fault}")
                done += part.rows if table == "exchanges" else 0
                progress(done, manifest.rows)
        return Verified(manifest.rows, len(manifest.files()), len(manifest.sources), faults)


def _fault(folder: Path, table: str, part: Part) -> str | None:
    path = folder / part.name
    try:
        if parts.digest(path) != part.digest:
            return "not as it was written (its digest is another)"
        file = pq.ParquetFile(path)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if file.metadata.num_rows != part.rows:
        return f"{file.metadata.num_rows:,} rows, and not {part.rows:,}"
    return None if file.schema_arrow.equals(SCHEMAS[table]) else "other columns than this Stillwatch writes"


def compact(folder: Path, progress: Progress) -> tuple[int, int]:
    """Merge the small parts of each day into as few as hold them; how many parts there were and are.

    Nothing that a scan finds changes. Raises InputError where a part is not as it was written.
    """
    with reopened(folder) as store:
        exchanges = store.manifest.tables["exchanges"]
        by_day: dict[int | None, list[Part]] = defaultdict(list)
        for part in exchanges:
            if part.rows < SMALL:
                by_day[part.day].append(part)
        merged = {part.name for small in by_day.values() if len(small) > 1 for part in small}
        if not merged:
            return len(exchanges), len(exchanges)
        total, done = sum(part.rows for part in exchanges if part.name in merged), 0
        written = parts.DayParts(folder)
        made: list[Part] = []
        try:
            for small in by_day.values():
                for part in small if len(small) > 1 else ():
                    for batch in _batches(folder, part):
                        with writing(folder):
                            written.write(batch)
                        done += batch.num_rows
                        progress(done, total)
            with writing(folder):
                made = written.finish()
        finally:
            written.abandon()
        kept = [part for part in exchanges if part.name not in merged]
        store.exchange([*kept, *made])
        return len(exchanges), len(kept) + len(made)


def _batches(folder: Path, part: Part) -> Iterator[pa.RecordBatch]:
    if parts.digest(folder / part.name) != part.digest:
        raise InputError(f"{folder / part.name}: not as it was written; bring it back from a copy")
    yield from pq.ParquetFile(folder / part.name).iter_batches()


def export(folder: Path, out: Path, *, memory_limit: str, threads: int, progress: Progress) -> int:
    """Write a store's exchanges, a repeated id once, into `out`, which must not exist: a Parquet file a day.

    The columns are those of `enriched`. Returns how many exchanges.
    """
    if out.exists():
        raise InputError(f"{out} exists: give a new folder to export into")
    with states.held(folder) as manifest, writing(out, "nothing was exported"):
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            repeats = _repeats(folder, manifest, work, memory_limit, threads)
            written = _export(folder, manifest, work / "days", repeats, progress)
            (work / "days").rename(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return written


def _repeats(folder: Path, manifest: Manifest, work: Path, memory_limit: str, threads: int) -> pa.Array:
    """Numbers of the exchanges that repeat another's id and are not the one that is kept."""
    if not manifest.rows:
        return pa.array([], pa.int64())
    link(folder, manifest, work / "parts")
    with DuckDB(work, memory_limit=memory_limit, threads=threads) as engine:
        engine.register_parquet("enriched", work / "parts")
        if engine.scalar("SELECT count(DISTINCT exchange_id) FROM enriched") == manifest.rows:
            return pa.array([], pa.int64())
        return engine.query(sql("repeats"))["exchange_no"].combine_chunks()


def _export(folder: Path, manifest: Manifest, out: Path, repeats: pa.Array, progress: Progress) -> int:
    out.mkdir()
    days: dict[int, list[Part]] = defaultdict(list)
    for part in manifest.tables["exchanges"]:
        days[part.day or 0].append(part)
    written = read = 0
    for day, members in sorted(days.items()):
        name = (date(1970, 1, 1) + timedelta(days=day)).isoformat()
        with pq.ParquetWriter(out / f"{name}.parquet", ENRICHED.schema, compression="zstd") as writer:
            for batch in _of(folder, members):
                kept = batch.filter(pc.invert(pc.is_in(batch.column("exchange_no"), repeats)))
                writer.write_batch(kept)
                written += kept.num_rows
                read += batch.num_rows
                progress(read, manifest.rows)
    return written


def _of(folder: Path, members: Iterable[Part]) -> Iterator[pa.RecordBatch]:
    for part in members:
        yield from pq.ParquetFile(folder / part.name).iter_batches()
