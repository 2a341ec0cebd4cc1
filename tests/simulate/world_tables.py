"""A simulated world's files as views of one database."""

from pathlib import Path

import duckdb

from stillwatch.simulate import publish
from stillwatch.tables import ACCOUNT_EVENTS, ACCOUNTS, EXCHANGES, MODELS

# What every world writes.
FILES = {
    "exchanges.parquet": EXCHANGES.schema,
    "accounts.parquet": ACCOUNTS.schema,
    "account_events.parquet": ACCOUNT_EVENTS.schema,
    "models.parquet": MODELS.schema,
    "truth_accounts.parquet": publish.TRUTH_ACCOUNTS,
    "truth_memberships.parquet": publish.TRUTH_MEMBERSHIPS,
    "truth_exchanges.parquet": publish.TRUTH_EXCHANGES,
}


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
