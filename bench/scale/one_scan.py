"""One scan with the seconds of its stages: python -m bench.scale.one_scan OUT TRAFFIC... [--store DIR] [--keep-days N].

Writes `stages.json` beside OUT: of every stage elapsed and processor seconds, and how many exchanges there were.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path

from stillwatch.scan import Request, scan
from stillwatch.settings import Settings


def main() -> None:
    """Scan, and write down how long each stage took."""
    given = argparse.ArgumentParser()
    given.add_argument("out", type=Path)
    given.add_argument("traffic", nargs="+")
    given.add_argument("--accounts", type=Path)
    given.add_argument("--models", type=Path)
    given.add_argument("--store", type=Path)
    given.add_argument("--keep-days", type=int)
    given.add_argument("--key", type=Path, help="file with the key of the sketch")
    said = given.parse_args()
    stages: list[tuple[str, float, float]] = []

    def progress(stage: str, done: int, total: int | None) -> None:  # noqa: ARG001
        if not stages or stages[-1][0] != stage:
            stages.append((stage, time.monotonic(), time.process_time()))

    request = Request(tuple(said.traffic), said.out, accounts=said.accounts, models=said.models, store=said.store)
    settings = Settings(threads=2, keep_days=said.keep_days, sketch_key_file=said.key)
    findings = scan(request, settings, progress)
    stages.append(("end", time.monotonic(), time.process_time()))
    spent = {
        name: {"seconds": round(after[1] - at, 2), "processor": round(after[2] - used, 2)}
        for (name, at, used), after in pairwise(stages)
    }
    traffic = findings.traffic
    told = {"stages": spent, "exchanges": traffic.exchanges, "accounts": traffic.accounts}
    told["campaigns"] = len(findings.campaigns)
    (said.out.parent / "stages.json").write_text(json.dumps(told), "utf-8")


if __name__ == "__main__":
    main()
