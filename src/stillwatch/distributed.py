"""Traffic read and enriched by Spark's tasks: the same readers, the same `enrich`, a piece of a file at a time.

An exchange's number says where it stands: the number of its file among all, and its row. So numbers count up in reading
order, as those of one machine do, and neither how the work is split nor a task that is done twice changes them. What a
task has to tell beside its rows (what it set aside, which columns had values) goes the way of its rows, as rows of
their own: only those of the attempt that Spark commits arrive.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import sources
from stillwatch.engine.spark import Spark, told
from stillwatch.enrich import Gear, enrich
from stillwatch.sources import Chosen, Inputs, Rejects, TrafficFile
from stillwatch.tables import ENRICHED, EXCHANGES

# Room for the rows of one file, and for 2^31 files, in 63 bits.
ROWS_A_FILE = 2**32
# What one task reads, as Spark splits files itself: a minute's work for a core at most, so that a task that fails costs
# little, and some hundred milliseconds at least, so that starting it costs little.
TASK_BYTES = 128 << 20

_SPARK_TYPES = {pa.int64(): "bigint", pa.string(): "string", pa.list_(pa.int64()): "array<bigint>"}
_TEXTS = pa.schema([("exchange_no", pa.int64()), ("system_prompt", pa.string()), ("prompt", pa.string())])

Batches = Iterable[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file that one task reads, the number of its first row, and about how much it is to read."""

    file: TrafficFile
    first_no: int
    bytes: int


class _Told(Rejects):
    """What a task sets aside and remarks, to be said again on the driver."""

    def __init__(self) -> None:
        super().__init__(None)
        self.added: list[tuple[str, str, str | None, bool]] = []

    def add(self, place: str, reason: str, field: str | None = None, *, file: bool = False) -> None:
        self.added.append((place, reason, field, file))

    def remarks(self) -> list[tuple[str, str, int]]:
        """Each kind of remark, with the first place and how often."""
        return [(what, self._first_place[what], times) for what, times in self._remarks.items()]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Traffic in pieces, in reading order, and how it is read. Tasks hold it whole."""

    pieces: tuple[Piece, ...]
    chosen: Chosen
    gear: Gear
    batch_rows: int

    def batches(self, piece: Piece, rejects: Rejects) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The exchanges of a piece, with the number of the first of each batch."""
        number = piece.first_no
        inputs = Inputs([piece.file])
        for batch in sources.batches(inputs, rejects=rejects, chosen=self.chosen, batch_rows=self.batch_rows):
            yield number, batch
            number += batch.num_rows


@dataclass(frozen=True, slots=True)
class Found:
    """What was read: exchanges, and the columns of which some had a value."""

    rows: int
    columns: frozenset[str]


def in_pieces(traffic: Iterable[TrafficFile]) -> tuple[Piece, ...]:
    """Parquet files by row groups, other files whole: their rows are found only by reading what is before them."""
    found: list[Piece] = []
    for number, file in enumerate(traffic):
        first_no = number * ROWS_A_FILE
        groups = _row_groups(file) if file.parquet else []
        if not groups:
            found.append(Piece(file, first_no, file.path.stat().st_size))
        for group, (rows, size) in enumerate(groups):
            found.append(Piece(replace(file, groups=(group, group)), first_no, size))
            first_no += rows
    return tuple(found)


def _row_groups(file: TrafficFile) -> list[tuple[int, int]]:
    """Rows and bytes of each row group; none where the file does not tell, which its reader will say."""
    try:
        metadata = pq.read_metadata(file.path)
        groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
        return [(group.num_rows, group.total_byte_size) for group in groups]
    except (pa.ArrowException, OSError, ValueError):
        return []


def _tasks(pieces: Iterable[tuple[int, Piece]]) -> list[list[int]]:
    """Numbers of pieces, in order, by tasks of `TASK_BYTES` or of one larger piece."""
    tasks: list[list[int]] = []
    held = TASK_BYTES
    for number, piece in pieces:
        if held + piece.bytes > TASK_BYTES:
            tasks.append([])
            held = 0
        tasks[-1].append(number)
        held += piece.bytes
    return tasks


def _mapped(spark: Spark, tasks: list[list[int]], schema: str, work: Callable[[int], Iterator[pa.RecordBatch]]) -> Any:
    """A frame of the batches that `work` makes of each piece, one task after its own list of pieces."""

    def run(numbers: Batches) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for task in batch.column(0).to_pylist():
                for piece in tasks[task]:
                    yield from work(piece)

    # One number a partition: what range() gives each task is its list of pieces.
    return spark.session.range(0, len(tasks), 1, len(tasks)).mapInArrow(run, schema)


def read(spark: Spark, traffic: Traffic, rejects: Rejects) -> Found:
    """Enrich all traffic and leave it as `enriched` in the engine; what was set aside goes into `rejects`."""

    def work(number: int) -> Iterator[pa.RecordBatch]:
        yield from _enriched(traffic, number)

    columns = [f"`{field.name}` {_SPARK_TYPES[field.type]}" for field in ENRICHED.schema]
    frame = _mapped(spark, _tasks(enumerate(traffic.pieces)), ", ".join([*columns, "report string"]), work)
    spark.store("read_traffic", frame)
    reports = spark.query("SELECT report FROM read_traffic WHERE report IS NOT NULL")
    found, broken_off = _said_again(map(orjson.loads, reports["report"].to_pylist()), traffic.pieces, rejects)
    kept = "".join(f" AND NOT exchange_no BETWEEN {first} AND {last}" for first, last in broken_off)
    spark.view("enriched", f"SELECT {', '.join(ENRICHED.names)} FROM read_traffic WHERE report IS NULL{kept}")
    return found


def _enriched(traffic: Traffic, number: int) -> Iterator[pa.RecordBatch]:
    """The enriched exchanges of a piece, then what there is to tell of it."""
    said = _Told()
    present: set[str] = set()
    rows = 0
    for first_no, batch in traffic.batches(traffic.pieces[number], said):
        present.update(name for name in EXCHANGES.names if batch.column(name).null_count < batch.num_rows)
        rows += batch.num_rows
        made = enrich(batch, first_no, traffic.gear)
        yield pa.RecordBatch.from_arrays(
            [*made.columns, pa.nulls(made.num_rows, pa.string())], names=[*ENRICHED.names, "report"]
        )
    whole = {"rows": rows, "columns": sorted(present), "remarks": said.remarks()}
    lines = [{"piece": number, "nth": -1, **whole}]
    lines += [{"piece": number, "nth": nth, "added": added} for nth, added in enumerate(said.added)]
    told_of = pa.array([orjson.dumps(line).decode() for line in lines], pa.string())
    empty = [pa.nulls(len(lines), field.type) for field in ENRICHED.schema]
    yield pa.RecordBatch.from_arrays([*empty, told_of], names=[*ENRICHED.names, "report"])


def _said_again(
    reports: Iterable[dict[str, Any]], pieces: tuple[Piece, ...], rejects: Rejects
) -> tuple[Found, list[tuple[int, int]]]:
    """Put what the tasks told into `rejects`, in reading order; and the numbers that do not count, since their file
    broke off in an earlier piece: one reader of the whole would not have come to them."""
    rows = 0
    columns: set[str] = set()
    broken: set[Path] = set()
    left_out: list[tuple[int, int]] = []
    in_order = sorted(reports, key=lambda line: (line["piece"], line["nth"]))
    for number, (whole, *added) in ((n, list(lines)) for n, lines in groupby(in_order, lambda line: line["piece"])):
        piece = pieces[number]
        if piece.file.path in broken:
            left_out.append((piece.first_no, piece.first_no + whole["rows"]))
            continue
        rows += whole["rows"]
        columns.update(whole["columns"])
        for what, place, times in whole["remarks"]:
            rejects.remark(what, place, times)
        for place, reason, field, file in (line["added"] for line in added):
            rejects.add(place, reason, field, file=file)
            if file:
                broken.add(piece.file.path)
    return Found(rows, frozenset(columns)), left_out


def texts(spark: Spark, traffic: Traffic, numbers: pa.ChunkedArray) -> pa.Table:
    """exchange_no, system_prompt and prompt of some exchanges, in the order of their numbers."""
    wanted = np.unique(numbers.to_numpy())
    first = [piece.first_no for piece in traffic.pieces]
    needed = {bisect_right(first, number) - 1 for number in wanted.tolist()}

    def work(number: int) -> Iterator[pa.RecordBatch]:
        yield from _texts(traffic, number, wanted)

    tasks = _tasks((number, traffic.pieces[number]) for number in sorted(needed))
    frame = _mapped(spark, tasks, "exchange_no bigint, system_prompt string, prompt string", work)
    with told("Spark"):
        return frame.toArrow().sort_by("exchange_no")


def _texts(traffic: Traffic, number: int, wanted: npt.NDArray[np.int64]) -> Iterator[pa.RecordBatch]:
    for first_no, batch in traffic.batches(traffic.pieces[number], Rejects(None)):
        start, end = np.searchsorted(wanted, [first_no, first_no + batch.num_rows])
        if start < end:
            rows = batch.select(["system_prompt", "prompt"]).take(pa.array(wanted[start:end] - first_no))
            yield pa.RecordBatch.from_arrays([pa.array(wanted[start:end]), *rows.columns], schema=_TEXTS)
