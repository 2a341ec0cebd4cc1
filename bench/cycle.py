"""From the last exchange needed to a decision served: `python -m bench.cycle --exchanges 1000000`.

A world's traffic lies in the store, judged, all but the exchanges of one campaign. The whole service runs as it is
shipped, with a cycle of ten seconds and an enforced policy. Then the campaign's exchanges are posted, a batch after the
other. The clock runs from the answer to the last batch until the look-up names a measure against two of its accounts
that had none before, asked every 50 ms. The service's log says how long the judgement of that took, by stage.

With `--campaigns` each of several is held back and posted in its turn, and with `--parts` the accounts of each in so
many parts, so that one run gives several figures: when in a cycle the last exchange comes is left to chance. The first
half comes while all that the store holds is being judged, which the service begins with; the others when that is over.
`--world` takes a world that is there already, with its `truth_` files; nothing is written there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.live_service import LiveService, measures, post, rows_of
from stillwatch.evaluate.truth import read_truth
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.simulate import simulate

# What the project asks of itself.
MOST_SECONDS = 30.0
CYCLE_SECONDS = 10
POLICY = "dry_run = false\n[caps]\nshare_of_accounts = 1.0\naccounts_an_hour = 1000000\n"


def files_of(world: Path) -> list[Path]:
    """The traffic of a world, which is one file or a folder of them."""
    return sorted((world / "exchanges").glob("*.parquet")) or [world / "exchanges.parquet"]


def prepared(world: Path, folder: Path, campaigns: list[str], *, keep: bool) -> dict[str, pa.Table]:
    """Brings all of a world but these campaigns' exchanges into the store of a service, and gives those. keep: the
    world's traffic, of which there may be as much as a disk holds."""
    truth = read_truth(world).exchanges
    held = {c: truth.filter(pc.equal(truth["campaign"], c))["exchange_id"].combine_chunks() for c in campaigns}
    every = pa.chunked_array(list(held.values())).combine_chunks()
    rest = folder / "rest"
    rest.mkdir(parents=True)
    own: dict[str, list[pa.RecordBatch]] = {c: [] for c in campaigns}
    files = files_of(world)
    schema = pq.read_schema(files[0])
    with pq.ParquetWriter(rest / "exchanges.parquet", schema) as writer:
        for file in files:
            for batch in pq.ParquetFile(file).iter_batches(65_536):
                writer.write_batch(batch.filter(pc.invert(pc.is_in(batch["exchange_id"], value_set=every))))
                for campaign, ids in held.items():
                    own[campaign].append(batch.filter(pc.is_in(batch["exchange_id"], value_set=ids)))
            if not keep:
                file.unlink()
    request = Request(
        (str(rest),), folder / "judged" / "findings", accounts=world / "accounts.parquet",
        models=world / "models.parquet", store=folder / "store",
    )  # fmt: skip
    scan(request, Settings())
    shutil.rmtree(rest)
    return {c: pa.Table.from_batches(some).sort_by("time") for c, some in own.items()}


def of_all(service: LiveService) -> list[dict[str, Any]]:
    """What the log says of judgements of all."""
    return [line for line in service.told("judged") if line["whole"]]


def of_newest(service: LiveService) -> list[dict[str, Any]]:
    """What the log says of judgements of what came last; of all, where the store holds no more than that."""
    return [line for line in service.told("judged") if not line["whole"]] or service.told("judged")


def waited(service: LiveService, traffic: pa.Table) -> dict[str, Any]:
    """Post a campaign; seconds until two of its accounts are under a measure, and what the log says of them."""
    beside = not of_all(service)
    accounts = set(traffic["account_id"].to_pylist())
    rows = rows_of(traffic)
    with service.client() as http:
        free = {a for a, measure in measures(http, accounts).items() if measure == "observe"}
        began = time.monotonic()
        post(http, rows)
        last, judgements = time.monotonic(), len(of_newest(service))
        while (under := _under(http, free)) < min(2, len(free)):
            if time.monotonic() - last > 3_600:
                sys.exit("no decision in an hour")
            time.sleep(0.05)
        seconds = time.monotonic() - last
        while len(of_newest(service)) == judgements:
            time.sleep(0.1)
        said = of_newest(service)[-1]
    return {
        "while_all_was_judged": beside and not of_all(service),
        "exchanges_posted": len(rows), "seconds_posting": round(last - began, 2), "accounts": len(accounts),
        "without_a_measure_before": len(free), "decided": under, "seconds_to_a_decision": round(seconds, 2),
        "seconds_of_the_judgement": said["seconds"], "stages": said.get("stages"),
    }  # fmt: skip


def _under(http: httpx.Client, accounts: set[str]) -> int:
    return sum(measure != "observe" for measure in measures(http, accounts).values())


def parts_of(held: dict[str, pa.Table], parts: int) -> Iterator[tuple[str, pa.Table]]:
    """The traffic of each campaign, its accounts dealt into so many parts."""
    for campaign, traffic in held.items():
        accounts = traffic["account_id"].unique().sort()
        for part in range(parts):
            dealt = accounts.take(pa.array(range(part, len(accounts), parts), pa.int64()))
            yield f"{campaign}, part {part + 1} of {parts}", traffic.filter(pc.is_in(traffic["account_id"], dealt))


def measured(given: argparse.Namespace, place: Path) -> dict[str, Any]:
    """All of it."""
    world = given.world or place / "world"
    if given.world is None:
        simulate(world, exchanges=given.exchanges, seed=given.seed)
    known = read_truth(world).campaigns
    campaigns = given.campaigns or [min(known, key=lambda c: (len(known[c]), c))]
    folder = place / "service"
    rows = sum(pq.read_metadata(f).num_rows for f in files_of(world))
    began = time.monotonic()
    held = prepared(world, folder, campaigns, keep=given.world is not None)
    loaded = time.monotonic() - began
    service = LiveService(
        folder, cycle_seconds=CYCLE_SECONDS, log_level="info", accounts=world / "accounts.parquet",
        models=world / "models.parquet",
    )  # fmt: skip
    service.adopt(POLICY)
    service.start()
    try:
        figures, draw = [], random.Random(given.seed)
        for number, (campaign, traffic) in enumerate(parts_of(held, given.parts)):
            time.sleep(draw.uniform(0.0, CYCLE_SECONDS))
            figures.append({"campaign": campaign, **waited(service, traffic)})
            print(json.dumps(figures[-1]), file=sys.stderr, flush=True)
            while number >= (len(held) * given.parts - 1) // 2 and not of_all(service):
                time.sleep(1.0)
        whole = of_all(service)
    finally:
        service.stop()
    return {
        "exchanges_in_the_store": rows,
        "seconds_to_load": round(loaded, 1), "seconds_of_the_first_judgement_of_all": whole[0]["seconds"],
        "load_average": os.getloadavg()[0], "campaigns": figures,
        "worst_seconds": max(f["seconds_to_a_decision"] for f in figures), "at_most": MOST_SECONDS,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--exchanges", type=int, default=100_000, help="of the world that is made")
    parser.add_argument("--world", type=Path, default=None, help="a world that is there already")
    parser.add_argument("--campaigns", nargs="*", help="to hold back, by the truth's names; by default the smallest")
    parser.add_argument("--parts", type=int, default=1, help="in how many a campaign's accounts are posted")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where; by default a temporary folder")
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="stillwatch-bench-", dir=given.folder))
    try:
        figures = measured(given, place)
        print(json.dumps(figures, indent=2))
        return 0 if figures["worst_seconds"] <= MOST_SECONDS else 1
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
