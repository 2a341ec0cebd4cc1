"""Rollups of the enriched exchanges: the tables that everything after them counts on, one .sql a table."""

from __future__ import annotations

from importlib.resources import files

from stillwatch.engine import Engine


def sql(name: str) -> str:
    """The text of one of this folder's queries."""
    return (files(__name__) / f"{name}.sql").read_text("utf-8")


def build(engine: Engine, has_duplicates: bool) -> None:
    """Make every rollup from the engine's view `enriched`."""
    engine.create("exchanges", sql("exchanges")) if has_duplicates else engine.create(
        "exchanges", "SELECT * FROM enriched"
    )
    for name in ("parties", "traffic", "account_days", "occurrences"):
        engine.create(name, sql(name))
    shared(engine)


def shared(engine: Engine) -> None:
    """Derive which passages at least two accounts carry, one range of hashes at a time, and where they stand."""
    parts = []
    span = 2**63 // engine.ranges  # passages are non-negative 63-bit hashes
    for i in range(engine.ranges):
        low = i * span
        engine.create(f"shared_{i}", sql("shared").format(low=low, high=low + span - 1))
        parts.append(f"SELECT passage, accounts, exchanges FROM shared_{i}")
    engine.create("shared", " UNION ALL ".join(parts))
    for i in range(engine.ranges):
        engine.drop(f"shared_{i}")
    engine.create("carried", sql("carried"))
    engine.drop("occurrences")
