"""The ledger of campaigns, by which `C-1` stays `C-1` from scan to scan.

Campaigns are matched by the accounts that take part. One that was found before and one found now may be the same where
half of the smaller is in the larger, as it is while a campaign grows or loses accounts; of all such pairs those with
the greatest overlap (Jaccard) are, each campaign in one pair at most. An earlier campaign that is left over was merged
into the one that has its accounts; a later one that is left over was split off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pyarrow as pa

from stillwatch.store.manifest import SCHEMAS


@dataclass(frozen=True, slots=True)
class Found:
    """A campaign of this scan: its accounts, and its first and last exchange in microseconds since 1970 UTC."""

    accounts: frozenset[str]
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Numbered:
    """numbers: of each campaign of this scan. ledger: as it is now. remarks: what was merged or split, in sentences."""

    numbers: list[int]
    ledger: pa.Table
    remarks: list[str]


def number(ledger: pa.Table, found: Sequence[Found]) -> Numbered:
    """Number the campaigns of a scan by the ledger (columns as in `SCHEMAS["campaigns"]`) and keep the ledger."""
    entries: dict[int, dict[str, Any]] = {row["number"]: row for row in ledger.to_pylist()}
    near = _near(entries, found)
    numbers: dict[int, int] = {}
    for earlier, place in near:
        if earlier not in numbers.values() and place not in numbers:
            numbers[place] = earlier
    remarks = []
    for place in range(len(found)):
        if place not in numbers:
            numbers[place] = max([*entries, *numbers.values()], default=0) + 1
    for place, campaign in enumerate(found):
        own = numbers[place]
        before = entries.get(own)
        origin = before["split_from"] if before else next((e for e, p in near if p == place), None)
        if before is None and origin is not None:
            remarks.append(f"C-{own} was a part of C-{origin} in the scan before.")
        entries[own] = {
            "number": own,
            "accounts": sorted(campaign.accounts),
            "first_us": campaign.first_us,
            "last_us": campaign.last_us,
            "merged_into": None,
            "split_from": origin,
        }
    taken = set(numbers.values())
    for earlier, place in near:
        entry = entries[earlier]
        if earlier not in taken and entry["merged_into"] is None:
            entry["merged_into"] = numbers[place]
            remarks.append(f"C-{earlier} of an earlier scan is now a part of C-{numbers[place]}.")
    rows = [entries[n] for n in sorted(entries)]
    ordered = [numbers[place] for place in range(len(found))]
    return Numbered(ordered, pa.Table.from_pylist(rows, schema=SCHEMAS["campaigns"]), remarks)


def _near(entries: dict[int, dict[str, Any]], found: Sequence[Found]) -> list[tuple[int, int]]:
    """Pairs of an earlier campaign's number and a place in `found` that may be the same, the greatest overlap first."""
    pairs = []
    for earlier, entry in entries.items():
        accounts = frozenset(entry["accounts"])
        for place, campaign in enumerate(found):
            common = len(accounts & campaign.accounts)
            if common and 2 * common >= min(len(accounts), len(campaign.accounts)):
                overlap = Fraction(common, len(accounts) + len(campaign.accounts) - common)
                pairs.append((-overlap, earlier, place))
    return [(earlier, place) for _, earlier, place in sorted(pairs)]
