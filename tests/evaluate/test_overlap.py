"""Overlapping B-cubed and Jaccard, worked out by hand and against the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.evaluate.overlap import BCubed, bcubed, contingency, jaccard


def pairs(groups: list[set[int]]):
    both = np.array(sorted((i, g) for g, items in enumerate(groups) for i in items), np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def scored(found: list[set[int]], true: list[set[int]], items: int = 12) -> BCubed:
    return bcubed(pairs(found), pairs(true), items)


def by_definition(found: list[set[int]], true: list[set[int]], items: int) -> tuple[float, int]:
    """Sum of multiplicity precisions over items, as Amigó et al. write it, and the number of items."""
    total, counted = 0.0, 0
    for e in range(items):
        values = []
        for other in range(items):
            shared = sum(e in g and other in g for g in found)
            if shared:
                values.append(min(shared, sum(e in g and other in g for g in true)) / shared)
        if values:
            total, counted = total + sum(values) / len(values), counted + 1
    return total, counted


def test_two_true_groups_found_as_one():
    # each of 0, 1 shares the found group with four items, of which two are of its own true group
    both = scored([{0, 1, 2, 3}], [{0, 1}, {2, 3}])
    assert (both.mean_precision, both.mean_recall) == (0.5, 1.0)
    assert both.f1 == pytest.approx(2 / 3)


def test_one_true_group_found_as_two():
    both = scored([{0, 1}, {2, 3}], [{0, 1, 2, 3}])
    assert (both.mean_precision, both.mean_recall) == (1.0, 0.5)


def test_an_innocent_in_a_found_group_costs_twice():
    # items 0 and 1: two of three partners are right (2/3 each); item 2 is in no true group: 0
    both = scored([{0, 1, 2}], [{0, 1}])
    assert both.mean_precision == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert both.mean_recall == 1.0


def test_an_item_in_two_groups():
    # 1 stands in both true groups and in one found group: with itself it shares 1 found of 2 true groups
    both = scored([{0, 1}, {2}], [{0, 1}, {1, 2}])
    assert both.mean_precision == 1.0
    # recall of 0: pairs with 0, 1 both found: 1. Of 1: with 0: 1, with 1: 1/2, with 2: 0, so 1/2. Of 2: with 1: 0, 2: 1
    assert both.recall == pytest.approx(1 + 0.5 + 0.5)


def test_nothing_found_and_nothing_true():
    assert scored([], []).f1 is None
    assert scored([], [{0, 1}]).f1 == 0.0
    assert scored([{0, 1}], []).f1 == 0.0


def test_worlds_add_up():
    one, other = scored([{0, 1}], [{0, 1}]), scored([{0, 1}], [{2, 3}])
    assert (one + other).mean_precision == 0.5


groupings = st.lists(st.sets(st.integers(0, 5), min_size=1), max_size=4)


@given(groupings, groupings)
def test_it_is_the_published_definition(found, true):
    both = scored(found, true, 6)
    precision, recall = by_definition(found, true, 6), by_definition(true, found, 6)
    assert (both.precision, both.found) == (pytest.approx(precision[0]), precision[1])
    assert (both.recall, both.true) == (pytest.approx(recall[0]), recall[1])


@given(groupings.filter(bool))
def test_a_perfect_grouping_gives_one(true):
    assert scored(true, true, 6).f1 == pytest.approx(1.0)


@given(groupings, groupings, st.permutations(range(6)))
def test_names_of_items_and_order_of_rows_never_matter(found, true, names):
    renamed = [[{names[i] for i in g} for g in groups] for groups in (found, true)]
    a, b = scored(found, true, 6), scored(*renamed, 6)
    assert a.f1 == (None if b.f1 is None else pytest.approx(b.f1))


def test_jaccard():
    found, true = pairs([{0, 1, 2, 3}, {9}]), pairs([{0, 1}, {2, 3, 4}, {5}])
    shared = contingency(found, true, (3, 2))
    assert shared.tolist() == [[2, 0], [2, 0], [0, 0]]
    sizes = np.array([2, 3, 1]), np.array([4, 1])
    assert jaccard(shared, *sizes).tolist() == [[2 / 4, 0], [2 / 5, 0], [0, 0]]
    assert contingency(pairs([{0}, {0}]), pairs([{0}]), (1, 2)).tolist() == [[1, 1]]
