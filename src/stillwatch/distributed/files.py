"""Files that every worker sees under the same path: read by the project's own readers, a piece of a file at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from stillwatch import sources
from stillwatch.distributed.rows import ROWS, ROWS_A_FILE, TEXTS, Found, Numbers, Reading, Told, enriched, present, take
from stillwatch.distributed.rows import texts as texts_of
from stillwatch.engine.spark import Spark, told
from stillwatch.sources import Inputs, Rejects, TrafficFile

# What one task reads, as Spark splits files itself: a minute's work for a core at most, so that a task that fails costs
# little, and some hundred milliseconds at least, so that starting it costs little.
TASK_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file that one task reads, the number of its first row, and about how much it is to read."""

    file: TrafficFile
    first_no: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Files:
    """Traffic files in pieces, in reading order."""

    inputs: Inputs
    reading: Reading
    pieces: tuple[Piece, ...]

    @staticmethod
    def of(inputs: Inputs, reading: Reading) -> Files:
        """Parquet files by row groups, other files whole: their rows are found only by reading what is before them."""
        pieces: list[Piece] = []
        for number, file in enumerate(inputs.traffic):
            first_no = number * ROWS_A_FILE
            groups = _row_groups(file) if file.parquet else []
            if not groups:
                pieces.append(Piece(file, first_no, file.path.stat().st_size))
            for group, rows, size in groups:
                pieces.append(Piece(replace(file, groups=(group, group)), first_no, size))
                first_no += rows
        return Files(inputs, reading, tuple(pieces))

    def read(self, spark: Spark, rejects: Rejects) -> Found:
        """Enrich all traffic and leave it as `enriched` in the engine; what was set aside goes into `rejects`."""
        pieces, reading = self.pieces, self.reading

        def work(number: int) -> Iterator[pa.RecordBatch]:
            yield from _enriched(pieces[number], reading)

        found = take(spark, _mapped(spark, list(enumerate(pieces)), ROWS, work), rejects)
        if not found.rows:
            raise sources.nothing_usable(self.inputs, rejects)
        return replace(found, formats=self.inputs.formats)

    def texts(self, spark: Spark, numbers: Numbers) -> pa.Table:
        """exchange_no, system_prompt and prompt of some exchanges, in the order of their numbers."""
        pieces, reading, wanted = self.pieces, self.reading, np.unique(numbers)
        first = [piece.first_no for piece in pieces]
        needed = sorted({bisect_right(first, number) - 1 for number in wanted.tolist()})

        def work(number: int) -> Iterator[pa.RecordBatch]:
            for several, batch in _batches(pieces[number], reading, Rejects(None)):
                yield from texts_of(batch, several, wanted)

        frame = _mapped(spark, [(number, pieces[number]) for number in needed], TEXTS, work)
        with told("Spark"):
            return frame.toArrow().sort_by("exchange_no")


def _row_groups(file: TrafficFile) -> list[tuple[int, int, int]]:
    """Number, rows and bytes of each row group that has rows; none where the file does not tell, which its reader will
    say."""
    try:
        metadata = pq.read_metadata(file.path)
        groups = [metadata.row_group(n) for n in range(metadata.num_row_groups)]
        return [(n, group.num_rows, group.total_byte_size) for n, group in enumerate(groups) if group.num_rows]
    except (pa.ArrowException, OSError, ValueError):
        return []


def _tasks(pieces: Sequence[tuple[int, Piece]], cores: int) -> list[list[int]]:
    """Numbers of pieces, in order, by tasks of `TASK_BYTES` or of one larger piece; where there is less, by cores."""
    most = min(TASK_BYTES, sum(piece.bytes for _, piece in pieces) // cores)
    tasks: list[list[int]] = []
    held = 0
    for number, piece in pieces:
        if not tasks or held + piece.bytes > most:
            tasks.append([])
            held = 0
        tasks[-1].append(number)
        held += piece.bytes
    return tasks


def _mapped(
    spark: Spark, pieces: Sequence[tuple[int, Piece]], schema: str, work: Callable[[int], Iterator[pa.RecordBatch]]
) -> DataFrame:
    """A frame of the batches that `work` makes of each piece, by its number."""
    tasks = _tasks(pieces, spark.session.sparkContext.defaultParallelism)

    def run(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in numbers:
            for task in batch.column(0).to_pylist():
                for piece in tasks[task]:
                    yield from work(piece)

    # One number a partition, which stands for its list of pieces.
    return spark.session.range(0, len(tasks), 1, len(tasks)).mapInArrow(run, schema)


def _batches(piece: Piece, reading: Reading, rejects: Rejects) -> Iterator[tuple[Numbers, pa.RecordBatch]]:
    """The exchanges of a piece, with their numbers."""
    number = piece.first_no
    inputs = Inputs([piece.file])
    for batch in sources.batches(inputs, rejects=rejects, chosen=reading.chosen, batch_rows=reading.batch_rows):
        yield np.arange(number, number + batch.num_rows, dtype=np.int64), batch
        number += batch.num_rows


def _enriched(piece: Piece, reading: Reading) -> Iterator[pa.RecordBatch]:
    """The enriched exchanges of a piece, then what there is to tell of it."""
    said = Told()
    columns: set[str] = set()
    rows = 0
    for numbers, batch in _batches(piece, reading, said):
        columns |= present(batch)
        rows += batch.num_rows
        yield enriched(batch, numbers, reading.gear)
    yield said.report(piece.first_no, rows, columns)
