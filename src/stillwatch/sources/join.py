"""Columns from a second source, on the request id: traffic seldom carries content and address together.

The second source is put into a keyed file on disk (SQLite, in the temporary directory), so that neither its size nor
the traffic's is held in memory; the traffic streams past it.
"""

from __future__ import annotations

import dataclasses
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.sources import accounts, canonical, conform, lines, times
from stillwatch.sources.conform import EXCHANGE_COLUMNS, Faults
from stillwatch.sources.formats import FORMATS
from stillwatch.sources.lines import DamagedFile, Record
from stillwatch.sources.mapping import Chosen
from stillwatch.sources.rejects import Rejects
from stillwatch.tables import EXCHANGES, TIMESTAMP, Table

# What the request id is called where it is not called exchange_id, tried in order.
ID_NAMES: Final = ("exchange_id", "request_id", "requestId", "x-request-id", "x_request_id", "id")
JOINED: Final = Table(
    "joined",
    "Columns of exchanges from a second source; only the id is required.",
    tuple(dataclasses.replace(c, required=c.name == "exchange_id") for c in EXCHANGES.columns),
)
# SQLite takes 32,766 parameters to a statement since 3.32 and 999 before.
LOOKED_UP: Final = 900
# 64 MiB of pages in memory; the rest stays on disk.
CACHE: Final = "PRAGMA cache_size = -65536"


# From an exchange's id to the names that it may have in a second source.
RequestIds = Callable[[str], tuple[str, ...]]


class Joined:
    """A second source, ready to fill what is missing in batches of exchanges."""

    def __init__(self, paths: Sequence[Path], chosen: Chosen, rejects: Rejects) -> None:
        self._paths = paths
        self._rejects = rejects
        self._seen = self._matched = 0
        self._filled: dict[str, int] = {}
        self._names: set[str] = set()
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="stillwatch-join-")
        except OSError as failure:
            raise EnvironmentFailure(f"no temporary folder for the joined file: {failure.strerror}") from failure
        self._base = sqlite3.connect(Path(self._folder.name) / "joined.sqlite", isolation_level=None)
        try:
            self._load(chosen)
        except sqlite3.Error as failure:
            self.close()
            raise EnvironmentFailure(f"{tempfile.gettempdir()}: cannot hold the joined file: {failure}") from failure
        except BaseException:
            self.close()
            raise

    def _load(self, chosen: Chosen) -> None:
        for pragma in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", CACHE):
            self._base.execute(pragma)
        self._base.execute("CREATE TABLE joined (id TEXT NOT NULL, named BLOB NOT NULL)")
        for path in self._paths:
            try:
                for batch in _batches(path, chosen, self._rejects):
                    self._base.execute("BEGIN")
                    self._base.executemany("INSERT INTO joined VALUES (?, ?)", self._keyed(batch))
                    self._base.execute("COMMIT")
            except DamagedFile as damage:
                raise InputError(f"--join {path}: {damage}") from damage
        if not self._names:
            raise InputError(f"--join {', '.join(map(str, self._paths))}: no row with an id and a column of exchanges")
        self._base.execute("CREATE INDEX by_id ON joined (id)")

    def _keyed(self, batch: pa.RecordBatch) -> Iterator[tuple[str, bytes]]:
        time = batch.schema.get_field_index("time")
        batch = batch.set_column(time, "time", batch.column(time).cast(pa.int64()))
        for row in batch.to_pylist():
            key = row.pop("exchange_id")
            named = {name: value for name, value in row.items() if value is not None}
            self._names.update(named)
            yield key, orjson.dumps(named)

    def fill(self, columns: dict[str, pa.Array], size: int, request_ids: RequestIds) -> None:
        """Fill the nulls of a batch's columns, in place; what the traffic itself says stands.

        request_ids: what the second source may call an exchange, the best name first.
        """
        ids = columns["exchange_id"].to_pylist() if "exchange_id" in columns else [None] * size
        names = [request_ids(i) if i is not None else () for i in ids]
        found = self._look_up(sorted({n for several in names for n in several}))
        rows = [next((found[n] for n in several if n in found), {}) for several in names]
        self._seen += size
        self._matched += sum(any(n in found for n in several) for several in names)
        if not found:
            return
        for name in self._names:
            kind = EXCHANGE_COLUMNS[name].type
            values = [row.get(name) for row in rows]
            other = pa.array(values, pa.int64()).cast(TIMESTAMP) if kind == TIMESTAMP else pa.array(values, kind)
            before = columns.get(name, pa.nulls(size, kind))
            columns[name] = pc.coalesce(before, other)
            self._filled[name] = self._filled.get(name, 0) + before.null_count - columns[name].null_count

    def _look_up(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), LOOKED_UP):
            part = ids[start : start + LOOKED_UP]
            marks = ", ".join("?" * len(part))
            query = f"SELECT id, named FROM joined WHERE id IN ({marks}) ORDER BY rowid"
            for key, named in self._base.execute(query, part):
                # Of several rows for one id the first to name a column gives it.
                found[key] = {**orjson.loads(named), **found.get(key, {})}
        return found

    def report(self) -> None:
        """Say how many exchanges were found in the second source, and what it gave."""
        gave = ", ".join(f"{name} {n:,}" for name, n in sorted(self._filled.items()) if n) or "nothing that was missing"
        where = ", ".join(map(str, self._paths))
        self._rejects.note(f"--join {where}: {self._matched:,} of {self._seen:,} exchanges matched; filled {gave}")

    def close(self) -> None:
        """Remove the keyed file."""
        self._base.close()
        self._folder.cleanup()


def _batches(path: Path, chosen: Chosen, rejects: Rejects) -> Iterator[pa.RecordBatch]:
    """A second source as batches of JOINED, from Parquet, CSV, our columns as JSON lines, or a known format."""
    kind, names = accounts.kind_of(path)
    if names is not None and not set(names) & set(ID_NAMES):
        raise DamagedFile(f"no request id; name the column {ID_NAMES[0]}")
    if kind == "parquet":
        yield from _parquet(path, names or [], rejects)
        return
    rows = renamed(accounts.csv_records(path, rejects)) if kind == "csv" else _json_rows(path, chosen, rejects)
    for part in canonical.together(rows, accounts.BATCH_ROWS):
        faults = Faults(rejects, lambda index, part=part: part[index].place)  # type: ignore[misc]
        columns = conform.from_rows([r.value for r in part], JOINED, times.TRAFFIC, faults)
        yield conform.settle(columns, JOINED, len(part), faults)


def _parquet(path: Path, names: list[str], rejects: Rejects) -> Iterator[pa.RecordBatch]:
    key = next(name for name in ID_NAMES if name in names)
    wanted = [key, *(name for name in EXCHANGES.names if name != "exchange_id")]
    joined = {column.name: column for column in JOINED.columns}
    for start, batch in canonical.parquet_batches(path, wanted, accounts.BATCH_ROWS):
        faults = Faults(rejects, lambda index, start=start: f"{path} row {start + index + 1}")  # type: ignore[misc]
        columns = {}
        for i, name in enumerate(batch.schema.names):
            column = joined["exchange_id" if name == key else name]
            columns[column.name] = conform.from_arrow(batch.column(i), column, times.TRAFFIC, faults)
        yield conform.settle(columns, JOINED, batch.num_rows, faults)


def _json_rows(path: Path, chosen: Chosen, rejects: Rejects) -> Iterator[Record]:
    """Rows of the first known format that recognises the first record, else of our columns as they are named."""
    records = lines.records(path, rejects)
    first = next(records, None)
    if first is None:
        return
    others = [f for name, f in FORMATS.items() if name != canonical.NAME and f.recognises(first.value)]
    again = _chain(first, records)
    yield from others[0].rows(again, chosen, rejects) if others else renamed(again)


def _chain(first: Record, rest: Iterator[Record]) -> Iterator[Record]:
    yield first
    yield from rest


def renamed(records: Iterator[Record]) -> Iterator[Record]:
    """Records whose request id, whatever they call it, is their exchange_id."""
    for record in records:
        if "exchange_id" not in record.value:
            key = next((name for name in ID_NAMES if name in record.value), None)
            if key is not None:
                yield Record(record.place, {**record.value, "exchange_id": record.value[key]})
                continue
        yield record
