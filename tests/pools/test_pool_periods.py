"""Campaigns of one pool told apart by when its accounts turned to which job, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.pools import Sent, run_apart

DAY = 24


def sent(rows):
    """rows: (account, job, day, exchanges)."""
    account, job, day, exchanges = (np.array([r[i] for r in rows], np.int64) for i in range(4))
    return Sent(account, job, day * DAY, exchanges, np.ones(len(rows), np.bool_))


def found(rows):
    return [(accounts.tolist(), jobs.tolist()) for accounts, jobs in run_apart(sent(rows))]


def moved(day):
    """Accounts 0 to 9 run jobs 0 and 1 until a day; accounts 10 to 19 run jobs 2 and 3 for sixty days, and from that
    day on 0 and 1 as well."""
    rows = [(a, j, d, 2) for a in range(10) for j in (0, 1) for d in range(day)]
    rows += [(a, j, d, 2) for a in range(10, 20) for j in (2, 3) for d in range(60)]
    return rows + [(a, j, d, 2) for a in range(10, 20) for j in (0, 1) for d in range(day, 60)]


@pytest.mark.parametrize("day", [15, 30, 45])
def test_one_that_moved_into_the_pool_of_another_is_told_from_it(day):
    assert found(moved(day)) == [(list(range(20)), [0, 1]), (list(range(10, 20)), [2, 3])]


def test_one_that_came_later_to_the_same_accounts_is_no_campaign_of_its_own():
    """A hand that goes on to another task looks the same."""
    rows = [(a, 0, d, 2) for a in range(20) for d in range(60)] + [
        (a, 1, d, 2) for a in range(20) for d in range(30, 60)
    ]
    assert found(rows) == [(list(range(20)), [0, 1])]


def test_accounts_that_do_both_at_all_times_are_one_campaign():
    rows = [(a, j, d, 2) for a in range(20) for j in range(4) for d in range(60)]
    assert found(rows) == [(list(range(20)), [0, 1, 2, 3])]


def test_parts_that_few_tie_may_be_apart_for_a_time_by_chance():
    """Two halves of a pool with jobs of their own; one account does a little of both, and happens to begin late."""
    rows = [(a, 0, d, 2) for a in range(10) for d in range(60)] + [
        (a, 1, d, 2) for a in range(10, 20) for d in range(60)
    ]
    rows += [(20, j, d, 1) for j in (0, 1) for d in (55, 58)]
    assert found(rows) == [(list(range(21)), [0, 1])]


def test_a_job_that_came_after_they_met_goes_to_whose_times_it_keeps():
    """Job 4 comes after the move, in accounts of which 15 to 19 never ran the others' jobs: it is not theirs."""
    rows = [r for r in moved(30) if not (r[0] >= 15 and r[1] in (0, 1))]
    later = rows + [(a, 4, d, 1) for a in range(10, 15) for d in range(31, 60)]
    assert (list(range(15)), [0, 1, 4]) in found(later)
    all_along = rows + [(a, 4, d, 1) for a in range(15, 20) for d in range(31, 60)]
    assert (list(range(10, 20)), [2, 3, 4]) in found(all_along)


def test_fewer_than_two_campaigns_could_have_are_one():
    rows = [r for r in moved(30) if r[0] in (0, 1, 2, 10, 11, 12)]
    assert len(found(rows)) == 1


def test_neither_the_order_of_rows_nor_their_numbers_matter():
    rows = moved(30)
    shuffled = [rows[n] for n in np.random.default_rng(5).permutation(len(rows))]
    assert found(shuffled) == found(rows)
    renumbered = [(a, 9 - j, d, n) for a, j, d, n in rows]
    assert [(a, sorted(9 - j for j in jobs)) for a, jobs in found(renumbered)] == found(rows)
