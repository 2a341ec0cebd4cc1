"""Traffic files as batches of exchanges, streamed in file order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.errors import InputError
from stillwatch.sources import canonical, conform, lines, times
from stillwatch.sources.conform import EXCHANGE_COLUMNS, Faults
from stillwatch.sources.discover import Inputs, TrafficFile
from stillwatch.sources.formats import FORMATS
from stillwatch.sources.join import Joined
from stillwatch.sources.lines import DamagedFile
from stillwatch.sources.mapping import Chosen, choose
from stillwatch.sources.rejects import Rejects
from stillwatch.tables import EXCHANGES

# Typed columns of one stretch of a file, before records without a required value are set aside.
Stretch = tuple[dict[str, pa.Array], int, Faults]


def read(
    inputs: Inputs,
    *,
    rejects: Rejects,
    join: Sequence[Path] = (),
    mapping: Path | None = None,
    batch_rows: int = 16_384,
) -> Iterator[pa.RecordBatch]:
    """Batches of exactly the exchanges schema, files in the order of their paths, records in file order.

    A batch holds at most `batch_rows` records and about 64 MiB of text. Raises InputError for an unusable mapping or
    join file, and at the end where not one record was usable.
    """
    usable = False
    for batch in batches(inputs, rejects=rejects, join=join, chosen=choose(mapping), batch_rows=batch_rows):
        usable = True
        yield batch
    if not usable:
        raise nothing_usable(inputs, rejects)


def batches(
    inputs: Inputs, *, rejects: Rejects, chosen: Chosen, join: Sequence[Path] = (), batch_rows: int = 16_384
) -> Iterator[pa.RecordBatch]:
    """As `read`, of files that may well hold nothing usable."""
    joined = Joined(join, chosen, rejects) if join else None
    try:
        for file in inputs.traffic:
            for columns, size, faults in _stretches(file, chosen, rejects, batch_rows):
                _partitioned(file.partitions, columns, size, faults)
                if joined is not None:
                    joined.fill(columns, size, getattr(FORMATS[file.format], "request_ids", _its_id))
                batch = conform.settle(columns, EXCHANGES, size, faults)
                if batch.num_rows:
                    yield batch
        if joined is not None:
            joined.report()
    finally:
        if joined is not None:
            joined.close()


def nothing_usable(inputs: Inputs, rejects: Rejects) -> InputError:
    """What to say where not one record of the traffic was usable."""
    most = max(rejects.by_reason, key=lambda reason: rejects.by_reason[reason], default="no records")
    paths = [str(file.path) for file in inputs.traffic]
    where = ", ".join(paths[:3]) + (f" and {len(paths) - 3:,} more files" if len(paths) > 3 else "")
    return InputError(f"{where}: no usable record; most often: {most}")


def _stretches(file: TrafficFile, chosen: Chosen, rejects: Rejects, batch_rows: int) -> Iterator[Stretch]:
    if file.parquet:
        yield from _parquet(file, rejects, batch_rows)
        return
    rows = FORMATS[file.format].rows(lines.records(file.path, rejects), chosen, rejects)
    for part in canonical.together(rows, batch_rows):
        faults = Faults(rejects, lambda index, part=part: part[index].place)  # type: ignore[misc]
        yield conform.from_rows([r.value for r in part], EXCHANGES, times.TRAFFIC, faults), len(part), faults


def _parquet(file: TrafficFile, rejects: Rejects, batch_rows: int) -> Iterator[Stretch]:
    try:
        for start, batch in canonical.parquet_batches(file.path, EXCHANGES.names, batch_rows, file.groups):
            faults = Faults(rejects, lambda index, start=start: f"{file.path} row {start + index + 1}")  # type: ignore[misc]
            columns = {
                name: conform.from_arrow(batch.column(i), EXCHANGE_COLUMNS[name], times.TRAFFIC, faults)
                for i, name in enumerate(batch.schema.names)
            }
            yield columns, batch.num_rows, faults
    except DamagedFile as damage:
        rejects.add(str(file.path), str(damage), file=True)


def _partitioned(
    partitions: Sequence[tuple[str, str]], columns: dict[str, pa.Array], size: int, faults: Faults
) -> None:
    """Columns that the file's folders name fill what the file itself leaves empty."""
    for name, value in partitions:
        filled = conform.from_values([value] * size, EXCHANGE_COLUMNS[name], times.TRAFFIC, faults)
        columns[name] = columns[name].fill_null(filled) if name in columns else filled


def typed(
    batch: pa.RecordBatch, partitions: Sequence[tuple[str, str]], place: Callable[[int], str], rejects: Rejects
) -> tuple[pa.RecordBatch, pa.BooleanArray]:
    """Rows that an engine has read, of whatever types, as exchanges; and for each row whether it is one of them.

    partitions: columns that the names of folders supply. place: where a row stands.
    """
    faults = Faults(rejects, place)
    columns = {
        name: conform.from_arrow(batch.column(name), EXCHANGE_COLUMNS[name], times.TRAFFIC, faults)
        for name in batch.schema.names
        if name in EXCHANGE_COLUMNS
    }
    _partitioned(partitions, columns, batch.num_rows, faults)
    kept = pa.array([True] * batch.num_rows, pa.bool_())
    for column in EXCHANGES.columns:
        if column.required:
            there = columns[column.name].is_valid() if column.name in columns else pa.array([False] * batch.num_rows)
            kept = pc.and_(kept, there)
    return conform.settle(columns, EXCHANGES, batch.num_rows, faults), kept


def _its_id(exchange_id: str) -> tuple[str, ...]:
    return (exchange_id,)
