"""The ledger of campaigns, pools and workloads, by which `C-1` stays `C-1` from scan to scan.

Campaigns and pools are matched by their accounts, workloads by their passages and their pool. One that was found before
and one found now may be the same where half of the smaller is in the larger, as it is while a campaign grows or loses
accounts; of all such pairs those with the greatest overlap (Jaccard) are, each in one pair at most. An earlier one that
is left over was merged into the one that has what it was known by; a later one that is left over was split off.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.store.manifest import SCHEMAS


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in this scan: what it is known by (accounts, or passages), and its first and last exchange in
    microseconds since 1970 UTC, where that is told."""

    known_by: frozenset[str]
    first_us: int | None = None
    last_us: int | None = None


@dataclass(frozen=True, slots=True)
class Numbered:
    """numbers: of each that was found in this scan. ledger: as it is now. merged, split: pairs of an earlier number and
    the one that it is now a part of, and of a new number and the one that it was a part of."""

    numbers: list[int]
    ledger: pa.Table
    merged: list[tuple[int, int]]
    split: list[tuple[int, int]]

    def remarks(self, letter: str) -> list[str]:
        """What was merged or split, in sentences; letter: what its ids begin with."""
        split = [f"{letter}-{own} was a part of {letter}-{origin} in the scan before." for own, origin in self.split]
        merged = [f"{letter}-{one} of an earlier scan is now a part of {letter}-{into}." for one, into in self.merged]
        return split + merged


def number(ledger: pa.Table, found: Sequence[Found]) -> Numbered:
    """Number what a scan found by the ledger (columns as in `SCHEMAS["campaigns"]`) and keep the ledger."""
    entries: dict[int, dict[str, Any]] = {row["number"]: row for row in ledger.to_pylist()}
    near = _near(entries, found)
    numbers: dict[int, int] = {}
    taken: set[int] = set()
    origins: dict[int, int] = {}
    for earlier, place in near:
        origins.setdefault(place, earlier)
        if earlier not in taken and place not in numbers:
            numbers[place] = earlier
            taken.add(earlier)
    new = max(entries, default=0)
    split, merged = [], []
    for place, one in enumerate(found):
        before = entries.get(numbers.get(place, 0))
        origin = before["split_from"] if before else origins.get(place)
        if before is None:
            new += 1
            numbers[place] = new
            if origin is not None:
                split.append((new, origin))
        entries[numbers[place]] = {
            "number": numbers[place],
            "known_by": sorted(one.known_by),
            "first_us": one.first_us,
            "last_us": one.last_us,
            "merged_into": None,
            "split_from": origin,
        }
    for earlier, place in near:
        entry = entries[earlier]
        if earlier not in taken and entry["merged_into"] is None:
            entry["merged_into"] = numbers[place]
            merged.append((earlier, numbers[place]))
    rows = [entries[n] for n in sorted(entries)]
    ordered = [numbers[place] for place in range(len(found))]
    return Numbered(ordered, pa.Table.from_pylist(rows, schema=SCHEMAS["campaigns"]), merged, split)


def with_new(before: pa.Table, after: pa.Table) -> pa.Table:
    """A ledger as it was, with what is new in a later one: for a scan that saw only a part of what those before it saw,
    so that what they found stays known by all that they knew it by."""
    new = pc.invert(pc.is_in(after["number"], before["number"].combine_chunks()))
    return pa.concat_tables([before, after.filter(new).cast(before.schema)])


def _near(entries: dict[int, dict[str, Any]], found: Sequence[Found]) -> list[tuple[int, int]]:
    """Pairs of an earlier number and a place in `found` that may be the same, the greatest overlap first."""
    holding: dict[str, list[int]] = defaultdict(list)
    for earlier, entry in entries.items():
        for key in entry["known_by"]:
            holding[key].append(earlier)
    pairs = []
    for place, one in enumerate(found):
        for earlier, common in Counter(n for key in one.known_by for n in holding.get(key, ())).items():
            size = len(entries[earlier]["known_by"])
            if 2 * common >= min(size, len(one.known_by)):
                overlap = Fraction(common, size + len(one.known_by) - common)
                pairs.append((-overlap, earlier, place))
    return [(earlier, place) for _, earlier, place in sorted(pairs)]
