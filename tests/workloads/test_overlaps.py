"""Sets of accounts that overlap, against every pair looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.workloads.overlaps import Sets

sets = st.lists(st.frozensets(st.integers(0, 12), min_size=1, max_size=8), max_size=14)


def of(members):
    rows = [(number, account) for number, accounts in enumerate(members) for account in accounts]
    rows = np.array(rows[::-1], np.int64).reshape(-1, 2).T
    return Sets(rows[0], rows[1], len(members))


@pytest.mark.parametrize("level", [0.5, 0.2, 1 / 3])
@settings(deadline=None)  # the first call loads what is compiled
@given(members=sets)
def test_sets_are_joined_as_every_pair_says(level, members):
    component = list(range(len(members)))
    for a, one in enumerate(members):
        for b, other in enumerate(members):
            if len(one & other) / len(one | other) >= level and component[a] != component[b]:
                keep, gone = sorted((component[a], component[b]))
                component = [keep if c == gone else c for c in component]
    assert of(members).near(level).tolist() == component


@settings(deadline=None)  # the first call loads what is compiled
@given(members=sets)
def test_what_pairs_have_in_common(members):
    pairs = [(a, b) for a in range(len(members)) for b in range(len(members))]
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T
    assert of(members).common(a, b).tolist() == [len(members[x] & members[y]) for x, y in pairs]
    assert of(members).sizes().tolist() == [len(m) for m in members]
