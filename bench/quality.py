"""How well a scan finds what a simulated world hides, on worlds that nothing was tuned on.

    python -m bench.quality [--exchanges N] [--seeds 101 102 103] [--text DIR] [--world NAME]

Prints, for every seed: accused accounts, precision and recall of accounts and of exchanges, recall by campaign, victims
named, and the wrong ones by population. The scan never reads the truth; this program does, afterwards.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.simulate import simulate

LIKELY = 0.5


def exchanges_found(out: Path) -> set[str]:
    if not any((out / "exchanges").rglob("*.parquet")):
        return set()
    table = ds.dataset(out / "exchanges", format="parquet", partitioning="hive").to_table(columns=["exchange_id"])
    return set(table["exchange_id"].to_pylist())


def judged(world: Path, out: Path) -> dict[str, object]:
    """The figures of one scan beside the truth of its world."""
    rows = {r["account_id"]: r for r in pq.read_table(out / "accounts.parquet").to_pylist()}
    truth = {r["account_id"]: r for r in pq.read_table(world / "truth_accounts.parquet").to_pylist()}
    campaigns: dict[str, set[str]] = defaultdict(set)
    for row in pq.read_table(world / "truth_memberships.parquet").to_pylist():
        campaigns[row["campaign"]].add(row["account_id"])
    accused = {a for a, r in rows.items() if (r["probability"] or 0.0) >= LIKELY}
    guilty = {a for a, r in truth.items() if r["role"] == "member"}
    victims = {a for a, r in truth.items() if r["role"] == "victim"}
    true = set(pq.read_table(world / "truth_exchanges.parquet")["exchange_id"].to_pylist())
    found = exchanges_found(out)
    wrong = Counter(f"{truth[a]['population']} ({truth[a]['role']})" for a in accused - guilty)
    return {
        "accused": len(accused),
        "account precision": ratio(len(accused & guilty), len(accused)),
        "account recall": ratio(len(accused & guilty), len(guilty)),
        "exchange precision": ratio(len(found & true), len(found)),
        "exchange recall": ratio(len(found & true), len(true)),
        "by campaign": ", ".join(
            f"{name[-1]} {len(m & guilty & accused)}/{len(m & guilty)}" for name, m in sorted(campaigns.items())
        ),
        "victims named": f"{sum(rows[v]['verdict'] == 'victim' for v in victims if v in rows)}/{len(victims)}",
        "wrong": ", ".join(f"{n} {p}" for p, n in wrong.most_common()) or "none",
    }


def ratio(part: int, whole: int) -> str:
    return f"{part / whole:.4f}" if whole else "none"


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--exchanges", type=int, default=100_000)
    given.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    given.add_argument("--text", type=Path)
    given.add_argument("--world", default="february-2026")
    options = given.parse_args()
    table = Table(
        "seed",
        *(
            "seconds",
            "accused",
            "account precision",
            "account recall",
            "exchange precision",
            "exchange recall",
            "by campaign",
            "victims named",
            "wrong",
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        for seed in options.seeds:
            world, out = Path(folder) / f"world-{seed}", Path(folder) / f"out-{seed}"
            simulate(world, world=options.world, exchanges=options.exchanges, seed=seed, text=options.text)
            start = time.monotonic()
            scan(Request((str(world),), out), Settings())
            took = time.monotonic() - start
            figures = judged(world, out)
            table.add_row(str(seed), f"{took:.0f}", *(str(v) for v in figures.values()))
    Console(width=200).print(table)


if __name__ == "__main__":
    main()
