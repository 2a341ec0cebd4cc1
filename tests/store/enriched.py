"""Enriched exchanges written out by hand, and an engine that holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import store
from stillwatch.engine import DuckDB
from stillwatch.tables import ENRICHED


def row(no: int, account: str, passages: list[int], **more: Any) -> dict[str, Any]:
    """An enriched exchange at second `no`, its prompt carrying passages."""
    us = no * 1_000_000
    return {
        "exchange_no": no, "exchange_id": f"e{no}", "account_id": account, "time_us": us, "day": 0, "bin": 0,
        "hour_of_week": 72, "prompt_passages": passages, "system_prompt_passages": [], "prompt_hash": 7,
    } | more  # fmt: skip


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=ENRICHED.schema)


def built(
    folder: Path,
    rows: list[dict[str, Any]],
    *,
    has_duplicates: bool = False,
    local: bool = False,
    least: int = 1,
    since: int | None = None,
) -> DuckDB:
    """An engine with the store made of rows. local: found from their parts, and not by SQL, in several stretches.
    least: how often what is shared must stand. since: the first day that counts."""
    engine = DuckDB(folder, memory_limit="1GB", threads=1)
    (folder / "parts").mkdir()
    half = len(rows) // 2
    for name, some in (("a", rows[:half]), ("b", rows[half:])):
        pq.write_table(table(some), folder / "parts" / f"{name}.parquet")
    engine.register_parquet("enriched_ever", folder / "parts")
    engine.view("enriched", f"SELECT * FROM enriched_ever WHERE day >= {since or 0}")
    store.build(engine, has_duplicates, store.Local(folder / "parts", folder, 2, since) if local else None, least)
    return engine
