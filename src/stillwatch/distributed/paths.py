"""Files that only Spark can read: Parquet by its own reader, other formats as bytes, which a task writes down and reads
as on one machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.functions import col

from stillwatch import sources
from stillwatch.distributed.discover import uri
from stillwatch.distributed.rows import ROWS, ROWS_A_FILE, TEXTS, Found, Numbers, Reading, Told, enriched, present, take
from stillwatch.distributed.rows import texts as texts_of
from stillwatch.engine.spark import Spark, told
from stillwatch.errors import InputError
from stillwatch.sources import DamagedFile, Inputs, Rejects
from stillwatch.tables import EXCHANGES

# Of a file's rows, where they stand.
_FILE, _ROW = "_stillwatch_file", "_stillwatch_row"

# What one task found in one file, or in a stretch of its rows: the number of the first, the exchanges and their
# numbers, what there is to tell, and the file's format where it is not told otherwise.
Stretch = tuple[int, Iterable[tuple[Numbers, pa.RecordBatch]], Told, list[str]]
_Rows = Callable[[Stretch], Iterator[pa.RecordBatch]]


@dataclass(frozen=True, slots=True)
class Paths:
    """Files of traffic, in reading order. format: what --format asks for."""

    files: tuple[str, ...]
    reading: Reading
    format: str = "auto"

    def read(self, spark: Spark, rejects: Rejects) -> Found:
        """Enrich all traffic and leave it as `enriched` in the engine; what was set aside goes into `rejects`."""
        gear = self.reading.gear

        def rows(stretch: Stretch) -> Iterator[pa.RecordBatch]:
            at, exchanges, said, formats = stretch
            columns: set[str] = set()
            count = 0
            for numbers, batch in exchanges:
                columns |= present(batch)
                count += batch.num_rows
                yield enriched(batch, numbers, gear)
            yield said.report(at, count, columns, formats[0] if formats else None)

        with told("Spark cannot read the traffic"):
            found = take(spark, self._mapped(spark, range(len(self.files)), rows, ROWS), rejects)
        if not found.rows:
            most = max(rejects.by_reason, key=lambda reason: rejects.by_reason[reason], default="no records")
            raise InputError(f"{self.files[0]} and so on: no usable record; most often: {most}")
        parquet = sum(map(_is_parquet, self.files))
        formats = found.formats | ({"canonical": found.formats.get("canonical", 0) + parquet} if parquet else {})
        return Found(found.rows, found.columns, formats)

    def texts(self, spark: Spark, numbers: Numbers) -> pa.Table:
        """exchange_no, system_prompt and prompt of some exchanges, in the order of their numbers."""
        wanted = np.unique(numbers)

        def rows(stretch: Stretch) -> Iterator[pa.RecordBatch]:
            for several, batch in stretch[1]:
                yield from texts_of(batch, several, wanted)

        needed = np.unique(wanted // ROWS_A_FILE).tolist()
        with told("Spark cannot read the traffic"):
            return self._mapped(spark, needed, rows, TEXTS).toArrow().sort_by("exchange_no")

    def _mapped(self, spark: Spark, needed: Iterable[int], rows: _Rows, schema: str) -> DataFrame:
        """A frame of what `rows` makes of each stretch of the files of these numbers."""
        number = {self.files[n]: n for n in needed}
        parquet = [file for file in number if _is_parquet(file)]
        others = [file for file in number if not _is_parquet(file)]
        reading, wanted = self.reading, self.format

        def of_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for stretch in _stretches(batch, number):
                    yield from rows(stretch)

        def of_bytes(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for path, content in zip(batch.column("path"), batch.column("content"), strict=True):
                    yield from rows(_whole(uri(path.as_py()), content.as_buffer(), number, reading, wanted))

        frames = []
        if parquet:
            frames.append(_parquet(spark, parquet).mapInArrow(of_rows, schema))
        if others:
            bytes_of = spark.session.read.format("binaryFile").load(others).select("path", "content")
            frames.append(bytes_of.mapInArrow(of_bytes, schema))
        return frames[0] if len(frames) == 1 else frames[0].unionByName(frames[1])


def _is_parquet(file: str) -> bool:
    return file.endswith(".parquet")


def _parquet(spark: Spark, files: list[str]) -> DataFrame:
    """The columns of ours in Parquet files, and of each row where it stands."""
    # Files of different days may have different columns; all are looked at for what they have.
    read = spark.session.read.option("mergeSchema", "true").parquet(*files)
    there = [f"`{name}`" for name in EXCHANGES.names if name in read.columns]
    place = [col("_metadata.file_path").alias(_FILE), col("_metadata.row_index").alias(_ROW)]
    return read.select(*there, *place)


def _stretches(batch: pa.RecordBatch, number: dict[str, int]) -> Iterator[Stretch]:
    """A batch of Spark's, a file at a time."""
    files = batch.column(_FILE).dictionary_encode()
    which = files.indices.to_numpy()
    starts = np.flatnonzero(np.diff(which, prepend=-1))
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), batch.num_rows], strict=True):
        file = uri(unquote(files.dictionary[int(which[start])].as_py()))  # here alone Spark writes %20 for a space
        rows = batch.column(_ROW).to_numpy()[start:end]
        numbers = (number[file] * ROWS_A_FILE + rows).astype(np.int64)
        said = Told()
        exchanges, kept = sources.typed(
            batch.slice(start, end - start),
            sources.partitions_of(Path(file)),
            lambda index, file=file, rows=rows: f"{file} row {rows[index] + 1}",  # type: ignore[misc]
            said,
        )
        usable = [(numbers[kept.to_numpy(zero_copy_only=False)], exchanges)] if exchanges.num_rows else []
        yield int(numbers[0]), usable, said, []


def _whole(file: str, content: pa.Buffer, number: dict[str, int], reading: Reading, wanted: str) -> Stretch:
    """A file of which Spark gives the bytes, read from a file of the task's own."""
    first = number[file] * ROWS_A_FILE
    formats: list[str] = []
    with tempfile.NamedTemporaryFile(prefix="stillwatch-", delete=False) as copy:
        copy.write(content)
    said = Told(copy.name, file)

    def exchanges() -> Iterator[tuple[Numbers, pa.RecordBatch]]:
        at = first
        try:
            traffic = sources.sniff(Path(copy.name), wanted, sources.partitions_of(Path(file)), False)
            formats.append(traffic.format)
            for batch in sources.batches(
                Inputs([traffic]), rejects=said, chosen=reading.chosen, batch_rows=reading.batch_rows
            ):
                yield np.arange(at, at + batch.num_rows, dtype=np.int64), batch
                at += batch.num_rows
        except DamagedFile as damage:
            said.add(file, str(damage), file=True)
        finally:
            Path(copy.name).unlink()

    return first, exchanges(), said, formats
