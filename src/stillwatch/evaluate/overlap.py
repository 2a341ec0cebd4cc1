"""How far two groupings of the same items agree, where an item may stand in several groups of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.evaluate.measures import Floats, Ints, ratio


@dataclass(frozen=True, slots=True)
class BCubed:
    """Extended B-cubed as sums over items, so that several worlds add up.

    precision and recall: sums of the items' values. found and true: items in any found, in any true group.
    """

    precision: float = 0.0
    found: int = 0
    recall: float = 0.0
    true: int = 0

    def __add__(self, other: BCubed) -> BCubed:
        return BCubed(
            self.precision + other.precision,
            self.found + other.found,
            self.recall + other.recall,
            self.true + other.true,
        )

    @property
    def mean_precision(self) -> float | None:
        """Over the items in found groups."""
        return ratio(self.precision, self.found)

    @property
    def mean_recall(self) -> float | None:
        """Over the items in true groups."""
        return ratio(self.recall, self.true)

    @property
    def f1(self) -> float | None:
        """Their harmonic mean; 0 where only one grouping has groups, None where neither has."""
        if not self.found and not self.true:
            return None
        p, r = self.mean_precision or 0.0, self.mean_recall or 0.0
        return 2 * p * r / (p + r) if p + r else 0.0


def bcubed(found: tuple[Ints, Ints], true: tuple[Ints, Ints], items: int) -> BCubed:
    """Overlapping B-cubed of a found grouping against the true one (Amigó, Gonzalo, Artiles and Verdejo 2009).

    For two items that share found groups, precision is how many true groups they share, at most as many as found ones,
    over how many found ones they share; an item's precision is its mean over all items that share a found group with
    it, itself included. Recall is the same with the groupings exchanged. An item in a found group and in no true one
    has precision 0, which the mean over items then counts.

    Args:
        found: pairs of item (0 to items - 1) and found group (from 0), each pair once.
        true: the same of true groups.
        items: how many items there are; those in no group count for nothing.

    Returns:
        The sums. Items of the same groups are taken together, so the cost grows with distinct combinations of groups.
    """
    ours, our_sets = _combinations(*found, items)
    theirs, their_sets = _combinations(*true, items)
    both = ours * (theirs.max(initial=0) + 1) + theirs
    distinct, size = np.unique(both, return_counts=True)
    place = distinct // (theirs.max(initial=0) + 1), distinct % (theirs.max(initial=0) + 1)
    shared_found = (our_sets @ our_sets.T)[np.ix_(place[0], place[0])]
    shared_true = (their_sets @ their_sets.T)[np.ix_(place[1], place[1])]
    least = np.minimum(shared_found, shared_true)
    precision, found_items = _sum(least, shared_found, size)
    recall, true_items = _sum(least, shared_true, size)
    return BCubed(precision, found_items, recall, true_items)


def _sum(least: Floats, shared: Floats, size: Ints) -> tuple[float, int]:
    """The sum of the items' means of least/shared over those with which they share anything, and how many items."""
    joined = shared > 0
    per_pair = np.divide(least, shared, out=np.zeros_like(least), where=joined)
    partners = joined @ size
    inside = partners > 0
    means = (per_pair @ size)[inside] / partners[inside]
    return float(means @ size[inside]), int(size[inside].sum())


def _combinations(item: Ints, group: Ints, items: int) -> tuple[Ints, Floats]:
    """Each item's combination of groups as a number, and for every number a row of 0 and 1 by group."""
    width = int(group.max(initial=-1)) + 1
    order = np.lexsort((group, item))
    item, group = item[order], group[order]
    nth = np.arange(len(item)) - np.searchsorted(item, item)
    number = np.zeros(items, np.int64)
    sets = np.zeros((1, width))
    for n in range(int(nth.max(initial=-1)) + 1):
        now = nth == n
        key = number.copy() * (width + 1)
        key[item[now]] += group[now] + 1
        distinct, number = np.unique(key, return_inverse=True)
        sets = sets[distinct // (width + 1)]
        added = distinct % (width + 1)
        sets[np.flatnonzero(added), added[added > 0] - 1] = 1
    return number, sets


def jaccard(shared: Ints, true_sizes: Ints, found_sizes: Ints) -> Floats:
    """Shared over joined, for every true (rows) and found (columns) group; 0 where both are empty."""
    union = true_sizes[:, None] + found_sizes[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0))


def contingency(found: tuple[Ints, Ints], true: tuple[Ints, Ints], shape: tuple[int, int]) -> Ints:
    """How many items each true (rows) and found (columns) group share; pairs as in `bcubed`, shape: groups of each."""
    table = np.zeros(shape, np.int64)
    order = np.argsort(found[0], kind="stable")
    item, group = found[0][order], found[1][order]
    low, high = np.searchsorted(item, true[0], "left"), np.searchsorted(item, true[0], "right")
    for n in range(int((high - low).max(initial=0))):
        some = low + n < high
        np.add.at(table, (true[1][some], group[low[some] + n]), 1)
    return table
