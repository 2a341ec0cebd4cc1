"""How well a scan finds what a simulated world hides, on worlds that nothing was tuned on.

    python -m bench.quality [--exchanges N] [--seeds 101 102 103] [--text DIR] [--world NAME] [--attackers SHARE]
        [--extraction SHARE] [--evasions NAME ...] [--json FILE]

Prints a row a seed and the figures of all seeds together, as `stillwatch evaluate` has them. The scan never reads the
truth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from stillwatch.evaluate import Evaluation, Judged, judge, print_evaluation, together
from stillwatch.evaluate.wording import share_text
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.simulate import simulate

# Options that the simulator takes under the same name.
PASSED_ON = ("world", "exchanges", "text", "attackers", "extraction", "evasions")


def row(figures: Evaluation) -> dict[str, str]:
    """One seed's figures in a line."""
    a, x, t, c = figures.accounts, figures.exchanges, figures.theft, figures.calibration
    campaigns = [f"{m.campaign.removeprefix('campaign-')} {m.accused}/{m.members}" for m in figures.campaigns]
    overlaps = [m.jaccard_exchanges for m in figures.campaigns]
    wrong = [p for p in figures.populations if p.accused and p.role != "member"]
    return {
        "accused": str(a.accused),
        "account precision": share_text(a.precision),
        "account recall": share_text(a.recall),
        "exchange precision": share_text(x.precision),
        "exchange recall": share_text(x.recall),
        "exchange AP": share_text(x.average_precision),
        "by campaign": ", ".join(campaigns),
        "least Jaccard": share_text(min(overlaps, default=None)),
        "victims named": f"{t.named}/{t.victims}",
        "false groups": str(figures.false_groups.false),
        "log loss": share_text(c.log_loss_ratio),
        "reliability": share_text(c.reliability_error),
        "wrong": ", ".join(f"{p.accused} {p.population} ({p.role})" for p in wrong) or "none",
    }


def measured(options: argparse.Namespace, seed: int) -> tuple[Judged, float]:
    """Simulate one world, scan it, judge it; also the seconds that the scan took."""
    with tempfile.TemporaryDirectory() as folder:
        world, out = Path(folder) / f"seed-{seed}", Path(folder) / "out"
        asked = {name: getattr(options, name) for name in PASSED_ON}
        simulate(world, seed=seed, **asked)
        start = time.monotonic()
        scan(Request((str(world),), out), Settings())
        seconds = time.monotonic() - start
        print(f"seed {seed}: scanned in {seconds:.0f} s", file=sys.stderr)
        return judge(world, out), seconds


def printed(results: Sequence[tuple[int, Judged, float]], console: Console) -> Evaluation:
    """Print a row a seed and the figures of all together."""
    table: Table | None = None
    for seed, judged, seconds in results:
        figures = row(together([judged]))
        table = table or Table("seed", "seconds", *figures)
        table.add_row(str(seed), f"{seconds:.0f}", *figures.values())
    whole = together([judged for _, judged, _ in results])
    console.print(table)
    print_evaluation(whole, console)
    return whole


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--exchanges", type=int, default=100_000)
    given.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    given.add_argument("--text", type=Path)
    given.add_argument("--world", default="february-2026")
    given.add_argument("--attackers", type=float, help="of the world mixture")
    given.add_argument("--extraction", type=float, help="of the world mixture")
    given.add_argument("--evasions", nargs="*", help="of the world careful")
    given.add_argument("--json", type=Path, help="file for the figures of all seeds together")
    options = given.parse_args()
    results = [(seed, *measured(options, seed)) for seed in options.seeds]
    whole = printed(results, Console(width=200))
    if options.json:
        options.json.write_text(json.dumps(whole.document(), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
