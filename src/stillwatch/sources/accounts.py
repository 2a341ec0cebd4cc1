"""Accounts, their events and models' releases, from Parquet, JSON lines or CSV.

These are tables of the size of a customer list, not of traffic, and are returned whole.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import InputError
from stillwatch.sources import canonical, conform, lines, times
from stillwatch.sources.conform import Faults
from stillwatch.sources.lines import DamagedFile, Record
from stillwatch.sources.rejects import Rejects
from stillwatch.tables import ACCOUNT_EVENTS, ACCOUNTS, MODELS, VERDICTS, Table

BATCH_ROWS = 16_384
# The csv module refuses fields beyond 128 KiB unless told otherwise; a joined prompt may be larger.
LONGEST_FIELD = lines.LONGEST_LINE


def read_accounts(path: Path, rejects: Rejects) -> pa.Table:
    """The accounts table, one row an account; raises InputError where the file is unusable."""
    return _one_each(read_table(path, ACCOUNTS, rejects), "account_id", ("status_changed_at", "created_at"), rejects)


def read_account_events(path: Path, rejects: Rejects) -> pa.Table:
    """The account_events table; raises InputError where the file is unusable."""
    return read_table(path, ACCOUNT_EVENTS, rejects)


def read_models(path: Path, rejects: Rejects) -> pa.Table:
    """The models table, one row a model (its first release); raises InputError where the file is unusable."""
    table = read_table(path, MODELS, rejects)
    if pc.count_distinct(table["model"]).as_py() == table.num_rows:
        return table
    rejects.note(f"{path}: models named more than once; each one's earliest release was kept")
    first = table.group_by("model").aggregate([("released_at", "min")]).rename_columns(["model", "released_at"])
    return first.select(MODELS.names).sort_by("model").cast(MODELS.schema)


def read_verdicts(path: Path, rejects: Rejects) -> pa.Table:
    """The verdicts table; raises InputError where the file is unusable."""
    return read_table(path, VERDICTS, rejects)


def read_table(path: Path, table: Table, rejects: Rejects) -> pa.Table:
    """A file as one of our tables; raises InputError where it is missing, damaged or without a required column."""
    required = [c.name for c in table.columns if c.required]
    batches: list[pa.RecordBatch] = []
    try:
        kind, names = kind_of(path)
        missing = [name for name in required if names is not None and name not in names]
        if missing:
            raise InputError(f"{path}: required column missing for {table.name}: {', '.join(missing)}")
        for columns, size, faults in stretches(path, kind, table, times.ACCOUNT, rejects):
            batches.append(conform.settle(columns, table, size, faults))
    except DamagedFile as damage:
        raise InputError(f"{path}: {damage}; expected {table.name} as Parquet, JSON lines or CSV") from damage
    out = pa.Table.from_batches(batches, schema=table.schema)
    if batches and not out.num_rows:
        raise InputError(f"{path}: no usable row of {table.name}; a row needs {', '.join(required)}")
    return out


def _one_each(table: pa.Table, key: str, latest: tuple[str, ...], rejects: Rejects) -> pa.Table:
    """One row a key: the latest by the times named, then by content, so that the order of rows decides nothing."""
    if pc.count_distinct(table[key]).as_py() == table.num_rows:
        return table
    rejects.note(
        f"{table.num_rows - pc.count_distinct(table[key]).as_py():,} rows repeat an {key}; the latest was kept"
    )
    best: dict[str, tuple[Any, int]] = {}
    for index, row in enumerate(table.to_pylist()):
        rank = (*(row[name].timestamp() if row[name] else 0.0 for name in latest), repr(row))
        if row[key] not in best or rank > best[row[key]][0]:
            best[row[key]] = (rank, index)
    return table.take(pa.array(sorted(index for _, index in best.values()), pa.int64()))


def kind_of(path: Path) -> tuple[str, list[str] | None]:
    """`parquet`, `json` or `csv`, and the names of its columns where the file says them."""
    beginning = b""
    for chunk in lines.chunks(path):
        beginning += chunk
        if len(beginning) >= 4:
            break
    if not beginning:
        raise DamagedFile("empty file")
    if beginning.startswith(lines.PARQUET_MAGIC):
        return "parquet", list(canonical.parquet_schema(path).names)
    start = beginning.removeprefix(lines.BYTE_ORDER_MARK)
    if start.lstrip().startswith(b"{"):
        return "json", None
    header = start.split(b"\n", 1)[0]
    if b"\0" in header or header.startswith((b"\xff\xfe", b"\xfe\xff", b"[")):
        raise DamagedFile("neither Parquet, JSON lines nor CSV in UTF-8")
    return "csv", next(csv.reader([header.decode("utf-8", "replace").strip()]), [])


def stretches(
    path: Path, kind: str, table: Table, span: times.Span, rejects: Rejects
) -> Iterator[tuple[dict[str, pa.Array], int, Faults]]:
    """Typed columns of a Parquet, JSON lines or CSV file, a batch at a time; DamagedFile for a broken Parquet file."""
    columns = {column.name: column for column in table.columns}
    if kind == "parquet":
        for start, batch in canonical.parquet_batches(path, table.names, BATCH_ROWS):
            faults = Faults(rejects, lambda index, start=start: f"{path} row {start + index + 1}")  # type: ignore[misc]
            arrays = {
                name: conform.from_arrow(batch.column(i), columns[name], span, faults)
                for i, name in enumerate(batch.schema.names)
            }
            yield arrays, batch.num_rows, faults
        return
    found = lines.records(path, rejects) if kind == "json" else csv_records(path, rejects)
    for part in canonical.together(found, BATCH_ROWS):
        faults = Faults(rejects, lambda index, part=part: part[index].place)  # type: ignore[misc]
        yield conform.from_rows([r.value for r in part], table, span, faults), len(part), faults


def csv_records(path: Path, rejects: Rejects) -> Iterator[Record]:
    """Rows of a CSV file with a header; an empty field is missing, and a row of another width is rejected."""
    csv.field_size_limit(LONGEST_FIELD)
    try:
        with io.TextIOWrapper(io.BufferedReader(_Chunks(path)), "utf-8-sig", "replace", newline="") as text:
            reader = csv.reader(text)
            header = [name.strip() for name in next(reader, [])]
            for fields in reader:
                place = f"{path}:{reader.line_num}"
                if len(fields) == len(header):
                    yield Record(place, {name: value for name, value in zip(header, fields, strict=True) if value})
                elif fields:
                    rejects.add(place, "a row with more or fewer fields than the header")
    except csv.Error:
        rejects.add(str(path), "the rest of the file is not CSV", file=True)
    except DamagedFile as damage:
        rejects.add(str(path), str(damage), file=True)


class _Chunks(io.RawIOBase):
    """Decompressed chunks as a file, for the csv module."""

    def __init__(self, path: Path) -> None:
        self._chunks = lines.chunks(path)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
