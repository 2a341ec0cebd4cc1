"""A finished scan, as tests look at it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.findings import Findings
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings

CAPTURE = Path(__file__).parents[3] / "shared" / "data" / "litellm_capture"


@dataclass(frozen=True)
class Result:
    """A finished scan and where it lies."""

    findings: Findings
    folder: Path

    def accused(self) -> set[str]:
        table = pq.read_table(self.folder / "accounts.parquet").to_pylist()
        by_probability = {r["account_id"] for r in table if r["probability"] >= 0.5}
        assert by_probability == {r["account_id"] for r in table if r["verdict"] == "member"}
        members = pq.read_table(self.folder / "memberships.parquet")["account_id"].to_pylist()
        assert by_probability == set(members)
        return by_probability

    def probabilities(self) -> dict[str, float]:
        table = pq.read_table(self.folder / "accounts.parquet")
        return dict(zip(table["account_id"].to_pylist(), table["probability"].to_pylist(), strict=True))


def scanned(world: Path, out: Path, **settings: object) -> Result:
    return Result(scan(Request((str(world),), out), Settings(threads=2, **settings)), out)
