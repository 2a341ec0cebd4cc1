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
            # The suspects' addresses first: they are few, and of all the others' nothing needs to be held.
            "WITH theirs AS ("
            "  SELECT DISTINCT e.ip FROM enriched AS e JOIN suspects AS s ON s.account_id = e.account_id "
            f"  WHERE e.ip IS NOT NULL AND e.time_us >= {since}"
            ") SELECT DISTINCT e.ip, e.account_id FROM enriched AS e JOIN theirs AS t ON t.ip = e.ip "
            f"WHERE e.time_us >= {since} ORDER BY e.ip, e.account_id"
        )
    by_address: dict[str, set[str]] = defaultdict(set)
    for row in seen.to_pylist():
        by_address[row["ip"]].add(row["account_id"])
    return {address: frozenset(of) for address, of in by_address.items()}
