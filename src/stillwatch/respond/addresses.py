"""Who was seen on the addresses that suspects use, so that nothing is done to an address that others share."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from stillwatch.engine import DuckDB
from stillwatch.respond.schema import EPOCH, MICROSECOND
from stillwatch.settings import Settings
from stillwatch.store import states
from stillwatch.store.kept import link


def addresses_of(
    store: Path, accounts: Iterable[str], at: datetime, days: float, settings: Settings
) -> dict[str, frozenset[str]]:
    """For each address that one of the accounts used in the last days before `at`, every account seen on it then.

    store: as `scan --store` keeps it. Raises InputError where it is none.
    """
    since = (at - timedelta(days=days) - EPOCH) // MICROSECOND
    with (
        states.held(store) as manifest,
        tempfile.TemporaryDirectory(prefix="stillwatch-addresses.", dir=settings.work_dir) as work,
        DuckDB(Path(work), memory_limit=settings.memory_limit, threads=settings.threads) as engine,
    ):
        if not manifest.tables["exchanges"]:
            return {}
        link(store, manifest, Path(work) / "enriched")
        engine.register_parquet("enriched", Path(work) / "enriched")
        engine.register("suspects", pa.table({"account_id": pa.array(sorted(set(accounts)), pa.string())}))
        seen = engine.query(
            "WITH lately AS ("
            f"  SELECT DISTINCT ip, account_id FROM enriched WHERE ip IS NOT NULL AND time_us >= {since}"
            "), theirs AS (SELECT DISTINCT l.ip FROM lately AS l JOIN suspects AS s ON s.account_id = l.account_id) "
            "SELECT l.ip, l.account_id FROM lately AS l JOIN theirs AS t ON t.ip = l.ip ORDER BY l.ip, l.account_id"
        )
    by_address: dict[str, set[str]] = defaultdict(set)
    for row in seen.to_pylist():
        by_address[row["ip"]].add(row["account_id"])
    return {address: frozenset(of) for address, of in by_address.items()}
