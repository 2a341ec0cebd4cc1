"""What a scan found, read from its result tables alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.evaluate.calibration import ACCUSED
from stillwatch.tables import (
    IN_PART,
    OUT_ACCOUNTS,
    OUT_CAMPAIGNS,
    OUT_EVIDENCE,
    OUT_EXCHANGES,
    OUT_IN_PART,
    OUT_MEMBERSHIPS,
    Table,
)


@dataclass(frozen=True, slots=True)
class Found:
    """The findings of one scan.

    probability and verdict: by account. campaigns: every campaign found, with its probability. accused: its accounts at
    probability 0.5 and more. pools: the same by pool. exchanges: the rows of `exchanges/`. in_part: accounts of which
    not all was judged.
    """

    probability: dict[str, float]
    verdict: dict[str, str]
    campaigns: dict[str, float]
    accused: dict[str, frozenset[str]]
    pools: dict[str, frozenset[str]]
    exchanges: pa.Table
    in_part: frozenset[str] = frozenset()


def read_found(folder: Path) -> Found:
    """Read the result of a scan; raises InputError where the folder is none."""
    accounts = _read(folder, "accounts", OUT_ACCOUNTS)
    campaigns = _read(folder, "campaigns", OUT_CAMPAIGNS)
    ids = accounts["account_id"].to_pylist()
    accused, pools = _memberships(_read(folder, "memberships", OUT_MEMBERSHIPS))
    names = campaigns["campaign_id"].to_pylist()
    in_part = (folder / f"{IN_PART}.parquet").exists()
    return Found(
        dict(zip(ids, accounts["probability"].fill_null(0.0).to_pylist(), strict=True)),
        dict(zip(ids, accounts["verdict"].fill_null("none").to_pylist(), strict=True)),
        dict(zip(names, campaigns["probability"].fill_null(0.0).to_pylist(), strict=True)),
        {name: accused.get(name, frozenset()) for name in names},
        pools,
        _exchanges(folder),
        frozenset(_read(folder, IN_PART, OUT_IN_PART)["account_id"].to_pylist() if in_part else ()),
    )


def cited_rows(folder: Path, campaign: str) -> set[str]:
    """The ids that the evidence about a campaign and its workloads names."""
    evidence = _read(folder, "evidence", OUT_EVIDENCE)
    rows = evidence.filter(pc.starts_with(evidence["evidence_id"], f"{campaign}:"))["rows"]
    return {row for several in rows.to_pylist() for row in several or ()}


def _memberships(table: pa.Table) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    campaigns: dict[str, set[str]] = defaultdict(set)
    pools: dict[str, set[str]] = defaultdict(set)
    for row in table.filter(pc.greater_equal(table["probability"], ACCUSED)).to_pylist():
        if row["campaign_id"] is not None:
            campaigns[row["campaign_id"]].add(row["account_id"])
        if row["pool_id"] is not None:
            pools[row["pool_id"]].add(row["account_id"])
    return {k: frozenset(v) for k, v in campaigns.items()}, {k: frozenset(v) for k, v in pools.items()}


def _exchanges(folder: Path) -> pa.Table:
    if not any((folder / "exchanges").rglob("*.parquet")):
        return OUT_EXCHANGES.empty()
    try:
        return ds.dataset(folder / "exchanges", format="parquet").to_table(columns=OUT_EXCHANGES.names)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(folder / "exchanges", error) from error


def _read(folder: Path, name: str, table: Table) -> pa.Table:
    path = folder / f"{name}.parquet"
    if not path.exists():
        raise InputError(f"{folder} is not a result of scan: {path.name} is missing")
    try:
        return pq.read_table(path, columns=table.names, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} is not of a whole result of scan: {' '.join(str(error).split())}; scan again")
