"""Rollups of the enriched exchanges: the tables that everything after them counts on, one .sql a table."""

from __future__ import annotations

from importlib.resources import files

from stillwatch.engine import Engine

# Passages are non-negative 63-bit hashes; sixteen ranges keep each GROUP BY a sixteenth of the traffic's passages.
RANGES = 16
_SPAN = 2**63 // RANGES


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
    for i in range(RANGES):
        low = i * _SPAN
        engine.create(f"shared_{i}", sql("shared").format(low=low, high=low + _SPAN - 1))
        parts.append(f"SELECT passage, accounts, exchanges FROM shared_{i}")
    engine.create("shared", " UNION ALL ".join(parts))
    for i in range(RANGES):
        engine.drop(f"shared_{i}")
    engine.create("carried", sql("carried"))
    engine.drop("occurrences")
