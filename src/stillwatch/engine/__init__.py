"""Run SQL over tables and batches: the one place that knows which engine does it."""

from stillwatch.engine.duckdb import DuckDB

__all__ = ["DuckDB"]
