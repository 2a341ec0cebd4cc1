"""Rollups of the enriched exchanges: the tables that everything after them counts on, one .sql a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from stillwatch.engine import Engine


@dataclass(frozen=True, slots=True)
class Local:
    """Where the enriched exchanges lie as Parquet parts on this machine, a folder to work in, cores to use, the first
    day that counts, if not all of the parts do, and who is told how many exchanges of a stage are done."""

    parts: Path
    work: Path
    threads: int
    since: int | None = None
    progress: Callable[[str, int], None] = lambda _, __: None


def sql(name: str) -> str:
    """The text of one of this folder's queries."""
    return (files(__name__) / f"{name}.sql").read_text("utf-8")


def build(engine: Engine, has_duplicates: bool, local: Local | None = None) -> None:
    """Make every rollup from the engine's view `enriched`.

    local: where that view's parts lie, if they are on this machine: what is shared is then found without the engine.
    """
    if has_duplicates:
        engine.create("repeats", sql("repeats"))
        engine.view("exchanges", sql("exchanges"))
    else:
        engine.create("repeats", "SELECT exchange_no FROM enriched WHERE exchange_no < 0")
        engine.view("exchanges", "SELECT * FROM enriched")
    for name in ("parties", "traffic", "account_exits"):
        engine.create(name, sql(name))
    if local is None:
        shared(engine)
        return
    from stillwatch.store.sharing import share  # its loops are compiled, which an engine elsewhere does not need

    share(engine, local)


def shared(engine: Engine) -> None:
    """Derive which passages at least two accounts carry, one range of hashes at a time, and where they stand."""
    engine.create("occurrences", sql("occurrences"))
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
