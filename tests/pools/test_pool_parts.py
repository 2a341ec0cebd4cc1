"""A pool divided by the jobs that its accounts mainly run, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.pools import main_jobs, parts


def divided(rows, strangers=()):
    """rows: (account, job, exchanges). strangers: jobs that ten accounts of no pool run as well."""
    account, job, exchanges = (np.array([r[i] for r in rows], np.int64) for i in range(3))
    runners = np.bincount(job)[job] + 10 * np.isin(job, strangers)
    return parts(account, job, exchanges, main_jobs(account, job, exchanges, runners))


def two_campaigns(bridge):
    """Accounts 0 to 4 run job 0, accounts 10 to 14 job 1; each sends `bridge` exchanges of job 2, of its hundred."""
    rows = [(a, 0, 100 - bridge) for a in range(5)] + [(a, 1, 100 - bridge) for a in range(10, 15)]
    return rows + [(a, 2, bridge) for a in (0, 1, 10) if bridge]


def test_what_is_done_in_passing_joins_nothing_and_goes_where_most_of_it_is():
    found = divided(two_campaigns(4))
    assert [(a.tolist(), j.tolist()) for a, j in found] == [([0, 1, 2, 3, 4], [0, 2]), ([10, 11, 12, 13, 14], [1])]


def test_a_main_job_in_common_keeps_a_pool_whole():
    [(accounts, jobs)] = divided(two_campaigns(40))
    assert len(accounts) == 10
    assert jobs.tolist() == [0, 1, 2]


def test_a_job_that_strangers_run_as_well_joins_nothing():
    found = divided(two_campaigns(40), strangers=[2])
    assert [a.tolist() for a, _ in found] == [[0, 1, 2, 3, 4], [10, 11, 12, 13, 14]]


def test_a_few_accounts_with_a_job_of_their_own_are_no_campaign_apart():
    found = divided(two_campaigns(0) + [(a, 7, 100) for a in (20, 21, 22)])
    assert sorted(len(a) for a, _ in found) == [5, 8]
    assert sum(len(a) for a, _ in found) == 13


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_matter(seed):
    rows = two_campaigns(4)
    np.random.default_rng(seed).shuffle(rows)
    assert [a.tolist() for a, _ in divided(rows)] == [[0, 1, 2, 3, 4], [10, 11, 12, 13, 14]]


def of_one_pool(size, bridge, draw=0):
    """`size` accounts that run three jobs of their own each, seventy others with three of ten, and a job that two of
    each run mainly."""
    pick = np.random.default_rng(draw)
    rows = [(a, 100 + int(j), 30) for a in range(size) for j in pick.choice(5, 3, replace=False)]
    rows += [(50 + a, 200 + int(j), 30) for a in range(70) for j in pick.choice(10, 3, replace=False)]
    return rows + [(a, 300, 30) for a in (0, 1, 50, 51) if bridge]


@pytest.mark.parametrize("draw", range(3))
def test_one_public_job_in_common_does_not_make_two_campaigns_one(draw):
    found = divided(of_one_pool(7, bridge=True, draw=draw))
    assert [a.tolist() for a, _ in found] == [list(range(50, 120)), list(range(7))]


def test_two_jobs_in_common_do():
    rows = of_one_pool(7, bridge=True) + [(a, 301, 30) for a in (0, 1, 50, 51)]
    assert len(divided(rows)) == 1


def test_a_small_pool_held_together_by_one_job_stays_whole():
    """Two tasks, each in wordings of its own, and one account that does both: so do eight accounts of one campaign."""
    rows = [(a, 0, 50) for a in range(5)] + [(a, 1, 50) for a in range(4, 8)]
    assert len(divided(rows)) == 1


def test_the_accounts_of_a_small_campaign_with_main_jobs_of_their_own_are_not_the_large_ones():
    """Seven accounts, each mainly on a job that at most one other runs; a seventh of what each does is in common."""
    rows = [r for r in of_one_pool(7, bridge=False) if r[0] >= 50]
    rows += [(a, 400 + a // 2, 100) for a in range(7)] + [(a, 500, 4) for a in range(7)]
    assert [a.tolist() for a, _ in divided(rows)] == [list(range(50, 120)), list(range(7))]
