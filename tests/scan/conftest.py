"""Scans that several tests look at, each made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from worlds import accounts, rows, write

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


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """One hand among strangers."""
    folder = tmp_path_factory.mktemp("small")
    return scanned(write(folder / "world", rows(), accounts()), folder / "out")


@pytest.fixture(scope="session")
def innocent(tmp_path_factory):
    """The strangers alone."""
    folder = tmp_path_factory.mktemp("innocent")
    return scanned(write(folder / "world", rows(hand=False), accounts(hand=False)), folder / "out")


@pytest.fixture(scope="session")
def capture(tmp_path_factory):
    """A real proxy's log."""
    log = CAPTURE / "standard_logging_payload.jsonl.gz"
    if not log.exists():
        pytest.skip("no capture beside the project")
    return scanned(log, tmp_path_factory.mktemp("capture") / "out")
