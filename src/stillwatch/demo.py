"""The demonstration's folder and the truth that is printed beside its findings. A scan never reads the truth."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.report import Truth

MARK = "exchanges.parquet"


def prepare(out: Path) -> Path:
    """The folder for the world inside `out`; an earlier demonstration's is removed, anything else is refused."""
    world = out / "world"
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is not a folder: give another --out")
    if world.exists():
        if not (world / MARK).exists() and any(world.iterdir()):
            raise InputError(f"{world} holds something other than an earlier demonstration: give another --out")
        shutil.rmtree(world)
    out.mkdir(parents=True, exist_ok=True)
    return world


def truth(world: Path) -> Truth:
    """The labels of a simulated world, as the terminal tables take them."""
    campaigns: dict[str, set[str]] = defaultdict(set)
    for row in pq.read_table(world / "truth_memberships.parquet").to_pylist():
        campaigns[row["campaign"]].add(row["account_id"])
    roles = {
        row["account_id"]: (row["population"], row["role"])
        for row in pq.read_table(world / "truth_accounts.parquet").to_pylist()
    }
    return {"campaigns": campaigns, "roles": roles}
