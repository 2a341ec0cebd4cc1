"""Run SQL over tables and batches: the one place that knows which engine does it.

An engine holds tables by name. Its SQL is DuckDB's, as far as the allow-list of tests/engine/test_sql.py goes: what
stands there means the same on every engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import pyarrow as pa

from stillwatch.engine.duckdb import DuckDB

__all__ = ["DuckDB", "Engine"]


class Engine(Protocol):
    """What every stage asks of an engine. Rows come in any order but for what ORDER BY says."""

    # How many ranges of hashes to group by, one at a time, where there are as many groups as traffic has passages.
    ranges: int

    def register(self, name: str, table: pa.Table | pa.RecordBatchReader) -> None:
        """Hold an Arrow table, or batches as they come, as the table `name`, in place of one that has the name."""

    def register_parquet(self, name: str, folder: Path) -> None:
        """Make every Parquet part in `folder` readable as the table `name`."""

    def create(self, name: str, sql: str) -> None:
        """Hold the result of a query as the table `name`, in place of one that has the name."""

    def view(self, name: str, sql: str) -> None:
        """Give a query the name `name`; it is run wherever the name is used."""

    def drop(self, name: str) -> None:
        """Forget a table, where there is one."""

    def query(self, sql: str) -> pa.Table:
        """The result of a query, of the size of accounts, not of traffic."""

    def batches(self, sql: str, rows: int) -> Iterator[pa.RecordBatch]:
        """The result of a query, of the size of traffic, at most so many rows at a time."""

    def scalar(self, sql: str) -> int:
        """The single integer that a query gives; 0 for null."""

    def close(self) -> None:
        """Remove all tables and what they were kept in."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...
