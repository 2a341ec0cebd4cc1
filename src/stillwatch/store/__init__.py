"""Rollups of the enriched exchanges: the tables that everything after them counts on, one .sql a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from stillwatch.engine import Engine
from stillwatch.store.sharing import Occurrences, read_parts, share

# A template stands around varied payloads; five different prompts are the least that can show variation, and the same
# count that `k` asks before text is shown. What stands less often is no part of any template and is left where it is:
# most of what two accounts share by chance does, and such chances grow with the square of the traffic.
LEAST_PROMPTS = 5


@dataclass(frozen=True, slots=True)
class Local:
    """Enriched exchanges on this machine: where they lie as Parquet parts, a folder to work in, cores to use, the first
    day that counts, if not all of the parts do, what stands where in them if that was kept as they were made, and who
    is told how many exchanges of a stage are done."""

    parts: Path
    work: Path
    threads: int
    since: int | None = None
    occurrences: Occurrences | None = None
    progress: Callable[[str, int], None] = lambda _, __: None


def sql(name: str) -> str:
    """The text of one of this folder's queries."""
    return (files(__name__) / f"{name}.sql").read_text("utf-8")


def build(engine: Engine, has_duplicates: bool, local: Local | None = None, least: int = LEAST_PROMPTS) -> None:
    """Make every rollup from the engine's view `enriched`.

    local: where that view's parts lie, if they are on this machine: what is shared is then found without the engine.
    least: how often a passage must stand, in prompts and system prompts, to count as shared.
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
        shared(engine, least)
        return
    _shared_here(engine, local, least)


def _shared_here(engine: Engine, local: Local, least: int) -> None:
    found = local.occurrences
    if found is None:
        found = read_parts(local.parts, local.work, local.threads, lambda done: local.progress("shared", done))
    exchanges = engine.scalar("SELECT CAST(sum(exchanges) AS BIGINT) FROM parties")
    old = "" if local.since is None else f" UNION ALL SELECT exchange_no FROM enriched_ever WHERE day < {local.since}"
    share(
        engine,
        found,
        without=engine.query(f"SELECT exchange_no FROM repeats{old}")["exchange_no"],
        least=least,
        threads=local.threads,
        progress=lambda done, ranges: local.progress("carried", exchanges * done // ranges),
    )


def shared(engine: Engine, least: int) -> None:
    """Derive which passages at least two accounts carry, one range of hashes at a time, and where they stand; least:
    occurrences of what counts."""
    engine.create("occurrences", sql("occurrences"))
    parts = []
    span = 2**63 // engine.ranges  # passages are non-negative 63-bit hashes
    for i in range(engine.ranges):
        low = i * span
        engine.create(f"shared_{i}", sql("shared").format(low=low, high=low + span - 1, least=least))
        parts.append(f"SELECT passage, accounts, exchanges, prompts FROM shared_{i}")
    engine.create("shared", " UNION ALL ".join(parts))
    for i in range(engine.ranges):
        engine.drop(f"shared_{i}")
    engine.create("carried", sql("carried"))
    engine.drop("occurrences")
