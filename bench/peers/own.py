"""Stillwatch's own scan of one world, by account and by window: python -m bench.peers.own WORLD OUT [--without VIEW].

`--without` leaves out every kind of evidence of a view. The product has no such option; here the list of kinds is
replaced, in this process alone, wherever a module asks for it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from bench.peers.told import Told
from bench.peers.windows import draw
from stillwatch.evidence import kinds
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings


def leave_out(view: str) -> None:
    """Silence the kinds of one view for the rest of this process, in every module loaded that asks for kinds()."""
    kept = tuple(kind for kind in kinds() if kind.view != view)
    for name, loaded in list(sys.modules.items()):
        if name.startswith("stillwatch.") and getattr(loaded, "kinds", None) is kinds:
            loaded.kinds = lambda: kept  # type: ignore[attr-defined]


def window_scores(world: Path, out: Path) -> dict[str, list[float]]:
    """For every window how many of its exchanges the scan gives to a campaign, each counted by its probability.

    The scan saw the whole world and not the window alone, so this is what its findings say of the same windows.
    """
    windows = draw(world)
    if windows is None:
        return {}
    found = pq.read_table(out / "exchanges", columns=["exchange_id", "campaign_id", "probability"]).to_pydict()
    rows = zip(found["exchange_id"], found["campaign_id"], found["probability"], strict=True)
    probability = {x: p for x, campaign, p in rows if campaign is not None}
    ids = pq.read_table(world / "exchanges.parquet", columns=["exchange_id"])["exchange_id"].to_pylist()
    each = np.array([probability.get(x) or 0.0 for x in ids])
    place = {"calibration": windows.calibration, **windows.judged}
    return {name: each[rows].sum(1).tolist() for name, rows in place.items()}


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("world", type=Path)
    given.add_argument("out", type=Path)
    given.add_argument("--without", metavar="VIEW")
    given.add_argument("--windows", action="store_true")
    options = given.parse_args()
    if options.without:
        leave_out(options.without)
    told = Told()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        scan(Request((str(options.world),), out), Settings())
        table = pq.read_table(out / "accounts.parquet", columns=["account_id", "probability"]).to_pydict()
        told.settings["as it is"] = dict(zip(table["account_id"], table["probability"], strict=True))
        if options.windows:
            told.windows["campaign exchanges"] = window_scores(options.world, out)
        told.write(options.out)


if __name__ == "__main__":
    main()
