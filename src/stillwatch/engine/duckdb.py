"""The embedded engine: Engine in a folder of its own, bounded in memory, spilling to disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from stillwatch.errors import EnvironmentFailure


class DuckDB:
    """A private database file in `folder`, removed by `close`.

    memory_limit: e.g. "4GB"; beyond it DuckDB spills into `folder`. threads: how many cores it may use.
    """

    # Sixteen keep each GROUP BY a sixteenth of the traffic's passages.
    ranges = 16

    def __init__(self, folder: Path, *, memory_limit: str = "3GB", threads: int = 2) -> None:
        self._folder = folder / "engine"
        self._settings = {
            "memory_limit": memory_limit,
            "threads": str(threads),
            "temp_directory": str(self._folder / "spill"),
            "preserve_insertion_order": "false",
            "enable_progress_bar": "false",
            "TimeZone": "UTC",
            "autoinstall_known_extensions": "false",  # it would ask the internet for them
        }
        self._opened: duckdb.DuckDBPyConnection | None = None

    @property
    def _con(self) -> duckdb.DuckDBPyConnection:
        """The database, opened where something is first asked of it: reading traffic takes none."""
        if self._opened is None:
            with _room(self._folder):
                self._folder.mkdir(parents=True)
                self._opened = duckdb.connect(str(self._folder / "tables.duckdb"))
                for name, value in self._settings.items():
                    self._opened.execute(f"SET {name} = '{value}'")
        return self._opened

    def __enter__(self) -> DuckDB:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and delete its folder."""
        if self._opened is not None:
            self._opened.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def register_parquet(self, name: str, folder: Path) -> None:
        """Make every Parquet part in `folder` readable as the view `name`."""
        self._run(f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet('{folder}/*.parquet')")

    def register(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """Store an Arrow table, or batches as they come, as the table `name`."""
        self._con.register("_incoming", table)
        try:
            self._run(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM _incoming")
        finally:
            self._con.unregister("_incoming")

    def create(self, name: str, sql: str) -> None:
        """Store the result of a query as the table `name`."""
        self._run(f"CREATE OR REPLACE TABLE {name} AS {sql}")

    def view(self, name: str, sql: str) -> None:
        """Give a query the name `name`; it is run wherever the name is used."""
        self._run(f"CREATE OR REPLACE VIEW {name} AS {sql}")

    def drop(self, name: str) -> None:
        """Forget a table, or a query that was given a name."""
        named = self._con.execute("SELECT view_name FROM duckdb_views() WHERE view_name = ?", [name]).fetchone()
        self._run(f"DROP {'VIEW' if named else 'TABLE'} IF EXISTS {name}")

    def query(self, sql: str) -> pa.Table:
        """The result of a query, of the size of accounts, not of traffic."""
        with _room(self._folder):
            return self._con.sql(sql).to_arrow_table()

    def batches(self, sql: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The result of a query, of the size of traffic, at most so many rows at a time."""
        with _room(self._folder), closing(self._con.cursor()) as cursor:
            yield from cursor.sql(sql).to_arrow_reader(rows)

    def scalar(self, sql: str) -> int:
        """The single integer that a query gives; 0 for null."""
        return self.query(sql).column(0)[0].as_py() or 0

    def _run(self, sql: str) -> None:
        with _room(self._folder):
            self._con.execute(sql).fetchall()


@contextmanager
def _room(folder: Path) -> Iterator[None]:
    """Turn the engine's want of memory or disk into one line."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        reason = str(error).splitlines()[0]
        raise EnvironmentFailure(f"the engine ran out of room in {folder.parent}: {reason}") from error
