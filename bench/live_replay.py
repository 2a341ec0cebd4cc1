"""A labelled world replayed live, in dry run: `python -m bench.live_replay --world-name summer-2026`.

The whole service runs as it is shipped, by its default policy. The world's traffic is posted day by day, as fast as the
service takes it, with the accounts, their events and the models as they were known at the end of that day; the next day
is posted once a cycle has judged this one. For each true campaign the bench tells what share of its exchanges had been
sent when two of its members were first under a (planned) measure, and whom of the innocent any measure ever met.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.live_service import LiveService, planned, post, rows_of
from stillwatch.evaluate.known import Known, as_of, read_known
from stillwatch.evaluate.truth import Truth, read_truth
from stillwatch.serve.spool import used
from stillwatch.simulate import WORLDS, simulate

# What the project asks of itself: acted on before this share of its exchanges, for campaigns that last this long.
MOST_SHARE = 0.15
LEAST_DAYS = 30
MICROSECONDS_A_DAY = 86_400_000_000


@dataclass
class Seen:
    """Who was under a measure, and how much had been sent, by campaign, when it was first acted on."""

    touched: dict[str, str] = field(default_factory=dict)
    acted_on: dict[str, dict[str, Any]] = field(default_factory=dict)


def write(known: Known, folder: Path) -> None:
    """Where the service reads them; a table without rows is a file as well, since the service is told of it."""
    for name, table in (("accounts", known.accounts), ("account_events", known.events), ("models", known.models)):
        assert table is not None
        pq.write_table(table, folder / f"{name}.parquet")


def replayed(service: LiveService, world: Path) -> tuple[Truth, Seen, int]:
    """Post the days of a world; what was seen after each."""
    known, truth, seen = read_known(world), read_truth(world), Seen()
    traffic = pq.read_table(world / "exchanges.parquet").sort_by([("time", "ascending"), ("exchange_id", "ascending")])
    day = traffic["time"].cast(pa.int64()).to_numpy() // MICROSECONDS_A_DAY
    campaign = dict(zip(*(truth.exchanges[n].to_pylist() for n in ("exchange_id", "campaign")), strict=True))
    days = np.unique(day)
    sent: dict[str, int] = dict.fromkeys(truth.campaigns, 0)
    with service.client() as http:
        for number, one in enumerate(days, 1):
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=int(one) + 1)
            write(as_of(known, moment), service.folder / "known")
            rows = rows_of(traffic.slice(int(np.searchsorted(day, one)), int((day == one).sum())))
            before = len(service.told("judged"))
            post(http, rows)
            for row in rows:
                if (its := campaign.get(row["exchange_id"])) is not None:
                    sent[its] += 1
            service.until_judged(before + 1)
            while used(service.folder / "spool"):  # a segment that was sealed after the cycle had looked
                time.sleep(0.1)
            _look(truth, seen, planned(http), sent, moment)
            print(f"day {number} of {len(days)}: {len(seen.touched)} accounts touched", file=sys.stderr, flush=True)
    return truth, seen, len(days)


def _look(
    truth: Truth, seen: Seen, under: dict[str, tuple[str, datetime]], sent: dict[str, int], moment: datetime
) -> None:
    seen.touched |= {account: measure for account, (measure, _) in under.items() if measure != "observe"}
    members = truth.with_role("member")
    for name, accounts in truth.campaigns.items():
        if name not in seen.acted_on and len(accounts & members & seen.touched.keys()) >= 2:
            seen.acted_on[name] = {"day": f"{moment - timedelta(days=1):%Y-%m-%d}", "sent": sent[name]}


def told(world: Path, truth: Truth, seen: Seen, days: int, seconds: float) -> dict[str, Any]:
    """The figures, and whether they are as the project asks."""
    times = pq.read_table(world / "exchanges.parquet", columns=["exchange_id", "time"])
    joined = times.join(truth.exchanges, "exchange_id", join_type="inner")
    courses = []
    for name in sorted(truth.campaigns):
        own = joined.filter(pc.equal(joined["campaign"], name))["time"].cast(pa.int64()).to_numpy()
        if not len(own):
            continue
        lasted = float(own.max() - own.min()) / MICROSECONDS_A_DAY
        acted = seen.acted_on.get(name)
        share = acted["sent"] / len(own) if acted else 1.0
        courses.append(
            {"campaign": name, "days": round(lasted, 1), "exchanges": len(own), "acted_on": acted and acted["day"],
             "share_taken": round(share, 4), "well": lasted < LEAST_DAYS or share <= MOST_SHARE}
        )  # fmt: skip
    roles = [(truth.roles.get(account, "unknown"), measure) for account, measure in seen.touched.items()]
    innocent = sorted(a for a in seen.touched if truth.roles.get(a) == "innocent")
    return {
        "exchanges": times.num_rows, "days": days, "seconds": round(seconds), "campaigns": courses,
        "touched": {role: sum(r == role for r, _ in roles) for role in ("member", "victim", "innocent")},
        "innocent": innocent, "well": not innocent and all(c["well"] for c in courses),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--world-name", choices=sorted(WORLDS), default="summer-2026")
    parser.add_argument("--world", type=Path, default=None, help="a world that is there already")
    parser.add_argument("--exchanges", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where; by default a temporary folder")
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="stillwatch-bench-", dir=given.folder))
    try:
        world = given.world or place / "world"
        if given.world is None:
            simulate(world, world=given.world_name, exchanges=given.exchanges, seed=given.seed)
        known = place / "service" / "known"
        service = LiveService(
            place / "service", cycle_seconds=1, log_level="info",
            **{name: known / f"{name}.parquet" for name in ("accounts", "account_events", "models")},
        )  # fmt: skip
        known.mkdir()
        write(read_known(world), known)
        began = time.monotonic()
        service.start()
        try:
            truth, seen, days = replayed(service, world)
        finally:
            service.stop()
        figures = told(world, truth, seen, days, time.monotonic() - began)
        print(json.dumps(figures, indent=2))
        return 0 if figures["well"] else 1
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
