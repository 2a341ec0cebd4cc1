"""What a hunt finds from every guilty account of a simulated world, and from others by lot.

    python -m bench.hunt WORLD DIR [--others N]

WORLD: a labelled world; DIR: a result of scan of it. The hunt never reads the truth.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from stillwatch.hunt.expand import expand
from stillwatch.hunt.links import Links, read_links
from stillwatch.hunt.run import ROUNDS


def found_from(links: Links, seed: int) -> set[int]:
    """Accounts found near one account."""
    begun = np.zeros(len(links.accounts), np.bool_)
    begun[seed] = True
    return {int(n) for n in np.flatnonzero(expand(links.held, begun, ROUNDS).found > 0)}


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("world", type=Path)
    given.add_argument("result", type=Path)
    given.add_argument("--others", type=int, default=400, help="seeds that are not guilty")
    options = given.parse_args()
    links = read_links(options.result)
    place = {a.account_id: n for n, a in enumerate(links.accounts)}
    role = {a["account_id"]: a for a in pq.read_table(options.world / "truth_accounts.parquet").to_pylist()}
    campaigns: dict[str, set[int]] = defaultdict(set)
    for row in pq.read_table(options.world / "truth_memberships.parquet").to_pylist():
        if role[row["account_id"]]["role"] == "member":
            campaigns[row["campaign"]].add(place[row["account_id"]])
    guilty = set().union(*campaigns.values())
    print(f"{len(links.accounts)} accounts, {len(guilty)} of them guilty\n")
    print("| seeds | median share of its campaign found | innocents found, mean | of other campaigns, mean |")
    print("|---|---|---|---|")
    for name, members in sorted(campaigns.items()):
        found = {seed: found_from(links, seed) for seed in sorted(members)}
        share = np.median([len(f & members) / max(1, len(members) - 1) for f in found.values()])
        wrong = np.mean([len(f - guilty) for f in found.values()])
        other = np.mean([len(f & guilty - members) for f in found.values()])
        print(f"| {len(members)} of {name} | {share:.2f} | {wrong:.1f} | {other:.1f} |")
    rest = np.array([n for n in range(len(links.accounts)) if n not in guilty])
    drawn = np.random.default_rng(0).permutation(rest)[: options.others]
    near = [found_from(links, int(seed)) for seed in drawn]
    nobody, reach = np.mean([not f for f in near]), sum(bool(f & guilty) for f in near)
    size = np.mean([len(f) for f in near if f])
    print(f"\n{len(near)} others: {nobody:.0%} find nobody, the rest {size:.1f} accounts; {reach} reach a campaign")
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for seed, f in zip(drawn, near, strict=True):
        by_kind[role[links.accounts[seed].account_id]["population"]].append(bool(f & guilty))
    print("of them", {kind: sum(several) for kind, several in sorted(by_kind.items()) if any(several)})


if __name__ == "__main__":
    main()
