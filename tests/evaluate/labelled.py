"""A labelled world and a scan's result written by hand, a few rows each."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.tables import EXCHANGES, OUT_ACCOUNTS, OUT_CAMPAIGNS, OUT_EVIDENCE, OUT_EXCHANGES, OUT_MEMBERSHIPS

START = datetime(2026, 2, 2, tzinfo=UTC)

# Campaign a: m1, m2, m3 and the victim v1. Campaign b: m4, m5. Innocent: i1 to i4.
ROLES = {
    **{f"m{n}": ("pool", "member") for n in range(1, 6)},
    "v1": ("person", "victim"),
    "i1": ("person", "innocent"),
    "i2": ("person", "innocent"),
    "i3": ("class", "innocent"),
    "i4": ("class", "innocent"),
}
MEMBERSHIPS = [("m1", "a"), ("m2", "a"), ("m3", "a"), ("v1", "a"), ("m4", "b"), ("m5", "b")]
# Each account sends four exchanges, x-<account>-0 to 3. Of these belong to a campaign: all of m1, m2, m4, m5; the
# first three of m3; the first of v1.
TRUE = [(f"x-{a}-{n}", c) for a, c, k in [
    ("m1", "a", 4), ("m2", "a", 4), ("m3", "a", 3), ("v1", "a", 1), ("m4", "b", 4), ("m5", "b", 4),
] for n in range(k)]  # fmt: skip
# The scan finds C-1 (m1, m2, m3 and i3) and C-2 (i1, i2), names v1 as a victim, and misses b.
PROBABILITY = {
    "m1": 0.9, "m2": 0.9, "m3": 0.8, "m4": 0.3, "m5": 0.0, "v1": 0.1, "i1": 0.6, "i2": 0.6, "i3": 0.8, "i4": 0.0,
}  # fmt: skip
ACCUSED = {"C-1": ["m1", "m2", "m3", "i3"], "C-2": ["i1", "i2"]}
# Of C-1: all four of m1, m2, m3 (one wrong), the first of v1, one of i3. Of C-2: two each of i1 and i2.
FOUND = [(f"x-{a}-{n}", c, p) for a, c, k, p in [
    ("m1", "C-1", 4, 0.9), ("m2", "C-1", 4, 0.9), ("m3", "C-1", 4, 0.8), ("v1", "C-1", 1, 0.9), ("i3", "C-1", 1, 0.8),
    ("i1", "C-2", 2, 0.6), ("i2", "C-2", 2, 0.6),
] for n in range(k)]  # fmt: skip


def table(rows: list[dict[str, Any]], names: list[str]) -> pa.Table:
    """Text columns."""
    return pa.table({n: pa.array([r[n] for r in rows], pa.string()) for n in names})


def write(folder: Path, name: str, made: pa.Table) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(made, folder / f"{name}.parquet")


def traffic(accounts: list[str]) -> pa.Table:
    """Four exchanges of each account, a day apart."""
    rows = [
        {
            "exchange_id": f"x-{a}-{n}",
            "time": START + timedelta(days=n, seconds=i),
            "account_id": a,
            "prompt": f"{a}{n}",
        }
        for n in range(4)
        for i, a in enumerate(accounts)
    ]
    return pa.Table.from_pylist(rows, schema=EXCHANGES.schema)


def world(folder: Path) -> Path:
    """The world of this module."""
    write(folder, "exchanges", traffic(list(ROLES)))
    accounts = [{"account_id": a, "population": p, "role": r} for a, (p, r) in ROLES.items()]
    write(folder, "truth_accounts", table(accounts, ["account_id", "population", "role"]))
    members = [{"account_id": a, "campaign": c} for a, c in MEMBERSHIPS]
    write(folder, "truth_memberships", table(members, ["account_id", "campaign"]))
    true = [{"exchange_id": x, "campaign": c} for x, c in TRUE]
    write(folder, "truth_exchanges", table(true, ["exchange_id", "campaign"]))
    return folder


def result(folder: Path) -> Path:
    """The result of this module."""

    def verdict(account: str) -> str:
        return "victim" if account == "v1" else "member" if PROBABILITY[account] >= 0.5 else "none"

    accounts = [{"account_id": a, "probability": p, "verdict": verdict(a)} for a, p in PROBABILITY.items()]
    write(folder, "accounts", pa.Table.from_pylist(accounts, schema=OUT_ACCOUNTS.schema))
    members = [
        {"account_id": a, "pool_id": f"P-{c[-1]}", "campaign_id": c, "probability": PROBABILITY[a]}
        for c, several in ACCUSED.items()
        for a in several
    ]
    write(folder, "memberships", pa.Table.from_pylist(members, schema=OUT_MEMBERSHIPS.schema))
    campaigns = [{"campaign_id": "C-1", "probability": 0.9}, {"campaign_id": "C-2", "probability": 0.6}]
    write(folder, "campaigns", pa.Table.from_pylist(campaigns, schema=OUT_CAMPAIGNS.schema))
    write(folder, "evidence", OUT_EVIDENCE.empty())
    found = [
        {"exchange_id": x, "time": START, "workload_id": f"W-{c[-1]}", "campaign_id": c, "probability": p}
        for x, c, p in FOUND
    ]
    write(folder / "exchanges" / "day=2026-02-02", "part-0", pa.Table.from_pylist(found, schema=OUT_EXCHANGES.schema))
    (folder / "findings.json").write_text(json.dumps({}))
    return folder
