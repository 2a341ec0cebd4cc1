"""The distributed engine: what is as large as the traffic lives in Spark, what is as large as the accounts on the
driver.

A table that Spark makes is written as Parquet into a folder that all its workers see, so that nothing after it computes
it again, and a worker that is lost takes nothing with it. Where it comes out no larger than a bound, the driver holds
it too, in an embedded DuckDB; a query of which all tables are there goes no further. So the border between the two is
no list of names: it lies where the data puts it, and since both engines give the same rows, that changes no finding.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark import SparkConf
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from stillwatch.engine import dialect
from stillwatch.engine.duckdb import DuckDB
from stillwatch.errors import EnvironmentFailure

# What the SQL relies on, whatever a cluster's defaults are: overflow is an error, positions and aliases may be grouped
# and ordered by, and time has no zone.
SESSION = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.groupByAliases": "true",
    "spark.sql.groupByOrdinal": "true",
    "spark.sql.orderByOrdinal": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.compression.codec": "zstd",
}
# Where no session is there and Spark is not told otherwise: no progress bars and no warnings on the terminal, and room
# for what is brought to the driver, which `collect` bounds table by table.
OWN = {
    "spark.app.name": "stillwatch",
    "spark.log.level": "ERROR",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.maxResultSize": "0",
}


@contextmanager
def session(master: str | None = None, conf: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """A session of its own tables and settings: of the application that is running already (a notebook's, a job's),
    else of a new one, which ends with the block.

    master: where a new one runs; by default what spark-submit or spark-defaults.conf says, else all cores here.
    """
    there = SparkSession.getActiveSession()
    with told("Spark does not start"):
        started = there or _started(master, {**OWN, **(conf or {})})
        own = started.newSession()
        for name, value in SESSION.items():
            own.conf.set(name, value)
    try:
        yield own
    finally:
        if there is None:
            started.stop()


def _started(master: str | None, conf: Mapping[str, str]) -> SparkSession:
    settings = SparkConf().setAll(list(conf.items()))
    if master is not None:
        settings.setMaster(master)
    started = SparkSession.builder.config(conf=settings).getOrCreate()
    context: Any = started.sparkContext
    if context.master.startswith("local") and "PYSPARK_PYTHON" not in os.environ:
        context.pythonExec = sys.executable  # the machine's own python3 need not have Stillwatch
    return started


@contextmanager
def told(what: str) -> Iterator[None]:
    """Tell Spark's failures in one line."""
    try:
        yield
    except PySparkException as error:
        where = ": give it Java 17 or newer (JAVA_HOME)" if "JAVA_GATEWAY" in str(error) else ""
        raise EnvironmentFailure(f"{what}: {_reason(error)}{where}") from error
    except (Py4JError, ConnectionError) as error:
        raise EnvironmentFailure(f"{what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """The line of a failure that says why: of a task's, the last of its causes."""
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line.removeprefix("Caused by: ") for line in said if line.startswith("Caused by: ")]
    return (causes or said or [type(error).__name__])[-1 if causes else 0]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A table in Spark: the folder of its Parquet parts; None where the folder is somebody else's."""

    frame: DataFrame
    folder: str | None


class Spark:
    """Tables in a session of Spark and, where they are small, on the driver.

    work: a folder here, for the driver's tables. folder: where Spark keeps its own, any path that all workers write;
    by default in `work`, which does where they are processes of this machine. collect: the most bytes of Parquet that a
    table may take to be brought to the driver. memory_limit, threads: of the driver's tables.
    """

    # Spark shares a GROUP BY out by hash itself.
    ranges = 1

    def __init__(
        self,
        session: SparkSession,
        work: Path,
        *,
        folder: str | None = None,
        collect: int = 64_000_000,
        memory_limit: str = "3GB",
        threads: int = 2,
    ) -> None:
        self.session = session
        self._folder = f"{folder or work.resolve().as_uri()}/stillwatch-{uuid.uuid4().hex}"
        self._collect = collect
        self._driver = DuckDB(work, memory_limit=memory_limit, threads=threads)
        self._here: set[str] = set()
        self._there: dict[str, _Stored] = {}
        self._made = 0
        # Which of all tables that were ever made a name stands for; and small results by what they were made of: the
        # search asks the traffic the same for each set of groups.
        self._which: dict[str, int] = {}
        self._again: dict[tuple[object, ...], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Forget all tables and delete what they were kept in."""
        self._driver.close()
        with suppress(Py4JError, PySparkException, ConnectionError):  # where Spark is gone, that was told already
            for name in self._there:
                self.session.catalog.dropTempView(name)
            self._remove(self._folder)

    def register(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """Hold an Arrow table, or batches as they come, as the table `name` on the driver."""
        self.drop(name)
        self._driver.register(name, table)
        self._hold(name)

    def register_parquet(self, name: str, folder: Path) -> None:
        """Make every Parquet part in `folder`, which all workers must see, readable as the table `name`."""
        with told("Spark"):
            self._bind(name, _Stored(self.session.read.parquet(folder.resolve().as_uri()), None))

    def store(self, name: str, frame: DataFrame) -> None:
        """Compute a frame once, and hold its rows as the table `name` in Spark."""
        with told("Spark"):
            self._bind(name, self._written(name, frame))

    def view(self, name: str, sql: str) -> None:
        """Give a query the name `name`, where its tables are; it is run wherever the name is used."""
        if dialect.tables(sql) <= self._here:
            self._driver.view(name, sql)
            self._forget(name)
            self._hold(name)
            return
        with told("Spark"):
            self._bind(name, _Stored(self._frame(sql), None))

    def create(self, name: str, sql: str) -> None:
        """Hold the result of a query as the table `name`: on the driver where it is small, else in Spark."""
        read = dialect.tables(sql)
        made_of = (sql, *((table, self._which[table]) for table in sorted(read)))
        if read <= self._here:
            self._driver.create(name, sql)
        elif made_of in self._again:
            self._driver.create(name, f"SELECT * FROM {self._again[made_of]}")
        else:
            with told("Spark"):
                self._create(name, sql, made_of)
            return
        self._forget(name)
        self._hold(name)

    def _create(self, name: str, sql: str, made_of: tuple[object, ...]) -> None:
        stored = self._written(name, self._frame(sql))
        small = self._bytes(stored) <= self._collect
        rows = _whole(stored.frame.toArrow()) if small else None
        self._bind(name, stored)
        if rows is not None:
            self._driver.register(name, rows)
            self._hold(name)
            self._again[made_of] = f"again_{len(self._again)}"
            self._driver.create(self._again[made_of], f"SELECT * FROM {name}")

    def _hold(self, name: str) -> None:
        """Note that the driver has a new table of this name."""
        self._here.add(name)
        self._made += 1
        self._which[name] = self._made

    def drop(self, name: str) -> None:
        """Forget a table, where there is one."""
        self._forget(name)
        if name in self._here:
            self._here.remove(name)
            self._driver.drop(name)

    def query(self, sql: str) -> pa.Table:
        """The result of a query, of the size of accounts, not of traffic."""
        if dialect.tables(sql) <= self._here:
            return self._driver.query(sql)
        with told("Spark"):
            return _whole(self._frame(sql).toArrow())

    def batches(self, sql: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The result of a query, which the driver holds as a whole, at most so many rows at a time."""
        yield from self.query(sql).to_batches(rows)

    def scalar(self, sql: str) -> int:
        """The single integer that a query gives; 0 for null."""
        return self.query(sql).column(0)[0].as_py() or 0

    def _frame(self, sql: str) -> DataFrame:
        """A query over tables wherever they are: those that only the driver has are given to Spark first."""
        for name in sorted(dialect.tables(sql) - self._there.keys()):
            rows = self._driver.query(f"SELECT * FROM {name}")
            self._there[name] = _Stored(self.session.createDataFrame(rows), None)
            self._there[name].frame.createOrReplaceTempView(name)
        return self.session.sql(dialect.spark_sql(sql))

    def _written(self, name: str, frame: DataFrame) -> _Stored:
        self._made += 1
        folder = f"{self._folder}/{name}-{self._made}"
        frame.write.parquet(folder)
        return _Stored(self.session.read.schema(frame.schema).parquet(folder), folder)

    def _bind(self, name: str, stored: _Stored) -> None:
        self.drop(name)
        self._made += 1
        self._which[name] = self._made
        self._there[name] = stored
        stored.frame.createOrReplaceTempView(name)

    def _forget(self, name: str) -> None:
        """Remove Spark's copy of a table, where it has one."""
        stored = self._there.pop(name, None)
        if stored is not None:
            self.session.catalog.dropTempView(name)
            if stored.folder is not None:
                self._remove(stored.folder)

    def _files(self, folder: str) -> tuple[Any, Any]:
        """The file system of a folder, and the folder in it, as Hadoop names them."""
        jvm: Any = self.session._jvm
        path = jvm.org.apache.hadoop.fs.Path(folder)
        return path.getFileSystem(self.session._jsc.hadoopConfiguration()), path

    def _bytes(self, stored: _Stored) -> int:
        files, path = self._files(stored.folder or "")
        return int(files.getContentSummary(path).getLength())

    def _remove(self, folder: str) -> None:
        files, path = self._files(folder)
        files.delete(path, True)


def _whole(rows: pa.Table) -> pa.Table:
    """The rows with their integers as int64: Spark counts in 32 bits where a query's own numbers are small."""
    fields = [pa.field(f.name, pa.int64() if pa.types.is_integer(f.type) else f.type) for f in rows.schema]
    return rows.cast(pa.schema(fields))
