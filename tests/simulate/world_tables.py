"""A simulated world's files as views of one database."""

from pathlib import Path

import duckdb


def tables(world: Path) -> duckdb.DuckDBPyConnection:
    """Every Parquet file of a world as a view of its name."""
    con = duckdb.connect()
    for path in world.glob("*.parquet"):
        con.execute(f"create view {path.stem} as from read_parquet('{path}')")
    return con


def number(db: duckdb.DuckDBPyConnection, sql: str) -> float:
    """The one number that a query gives; 0 for null."""
    row = db.execute(sql).fetchone()
    assert row is not None
    return float(row[0] or 0)
