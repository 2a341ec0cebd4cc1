"""Accounts that links join are tested for jobs in common, which the links did not ask."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.campaigns.calibration import calibration
from stillwatch.campaigns.search import CLEARED, _common_jobs, _confirmed, _Part, _Search
from stillwatch.evidence.weigh import Weighed
from stillwatch.pools import Senders

EVERYBODY = 5_000


def sent(runners):
    rows = [(job, account) for job, accounts in runners.items() for account in sorted(accounts)]
    columns = {"job": [j for j, _ in rows], "account_no": [a for _, a in rows], "exchanges": [20] * len(rows)}
    return Senders(pa.table(columns, schema=pa.schema([(name, pa.int64()) for name in columns])))


def test_eight_linked_accounts_stand_out_among_three_hundred_strangers_with_the_same_job():
    pool = np.arange(0, 80, 10)
    found = _common_jobs([pool], sent({0: {*pool.tolist(), *range(1000, 1300)}}), EVERYBODY)
    assert len(found) == 1
    accounts, likely = found[0]
    assert accounts.tolist() == pool.tolist()
    assert likely > 0.5


def test_two_who_share_an_exit_and_a_popular_prompt_do_not():
    assert _common_jobs([np.array([3, 7])], sent({0: {3, 7, *range(1000, 1500)}}), EVERYBODY) == []


def test_linked_accounts_with_a_job_each_have_none_in_common():
    agency = np.arange(8)
    assert _common_jobs([agency], sent({int(a): {int(a), 100 + int(a)} for a in agency}), EVERYBODY) == []


def test_eight_linked_accounts_that_share_wordings_two_by_two_are_one_hand():
    """No wording is run by more than two of them, but each of them runs one with another, and nobody else does."""
    pool = np.arange(8)
    pairs = {job: {2 * job, 2 * job + 1} for job in range(4)}
    strangers = {10 + n: {100 + 2 * n, 101 + 2 * n} for n in range(50)}
    [(accounts, likely)] = _common_jobs([pool], sent(pairs | strangers), EVERYBODY)
    assert accounts.tolist() == pool.tolist()
    assert likely > 0.5


def test_the_search_for_members_begins_with_whom_several_groups_hold():
    groups = [np.array(g) for g in ([1, 2, 3], [2, 3, 4], [3, 4, 99])]
    assert _confirmed(groups).tolist() == [2, 3, 4]
    assert _confirmed(groups[:2]).tolist() == [1, 2, 3, 4]


def part(*accounts):
    return _Part(np.array(accounts), np.array([0]), dict.fromkeys(accounts, 1.0), 0.9)


def test_what_a_pool_left_behind_is_asked_by_itself():
    """Two groups overlap by half and are merged; the pool keeps three accounts, and the rest turn out to be a pool."""

    def membership(group, jobs, known):
        keeps = {0, 1, 2} if 0 in known else set(known.tolist())
        return np.array([0.9 if m in keeps else 0.1 for m in group.members])

    def weigh(accounts, jobs):
        number, account = accounts["group_no"].to_numpy(), accounts["account_no"].to_numpy()
        return {int(g): Weighed(np.sort(account[number == g])) for g in np.unique(number)}

    everybody = sent({0: {0, 1, 2, 3}, 1: {2, 3, 4, 5}, 2: {4, 5}})
    search = SimpleNamespace(
        sends=SimpleNamespace(sent=everybody, membership=membership), weigh=weigh, progress=lambda *_: None
    )
    found = _Search.pools(search, [np.array([0, 1, 2, 3]), np.array([2, 3, 4, 5])], [0.8, 0.7])
    assert [(p.accounts.tolist(), p.ceiling) for p in found] == [([0, 1, 2], 0.8), ([2, 3, 4, 5], 0.7)]


@dataclass(frozen=True)
class Judged:
    """A candidate as far as `judged` asks of one."""

    accounts: list[int]
    judgement: SimpleNamespace

    @property
    def weighed(self):
        return SimpleNamespace(members=np.array(self.accounts))

    @property
    def verdict(self):
        return "campaign" if self.judgement.product >= 0.5 else "undetermined"


def divided_into(products, second=((4, 5), (6, 7))):
    """Judge two pools, each of two parts; products: what speaks for the accounts, 0.9 where nothing is said."""
    halves = {0: [part(0, 1), part(2, 3)], 4: [part(*accounts) for accounts in second]}

    def candidates(given):
        names = [tuple(p.accounts.tolist()) for p in given]
        return [Judged(list(n), SimpleNamespace(product=products.get(n, 0.9))) for n in names]

    search = SimpleNamespace(divided=lambda pool: halves[int(pool.accounts[0])], candidates=candidates)
    return _Search.judged(search, [part(0, 1, 2, 3), part(4, 5, 6, 7)])


def test_a_pool_is_judged_as_one_where_a_part_speaks_clearly_against_a_campaign():
    """Of two pools the first falls into two campaigns; of the second one half is none, so it is judged as one."""
    assert [c.accounts for c in divided_into({(6, 7): 0.05})] == [[0, 1], [2, 3], [4, 5, 6, 7]]


def test_a_small_part_that_is_no_campaign_leaves_the_others_apart(monkeypatch):
    """A large pool sweeps up some accounts of others; its campaigns are told apart all the same."""
    monkeypatch.setattr("stillwatch.campaigns.search.hands", lambda _: [np.array([4, 5, 6, 7])])
    judged = divided_into({(7,): 0.05, (4, 5, 6, 7): 0.8}, second=((4, 5, 6), (7,)))
    assert [(c.accounts, c.judgement.product) for c in judged][2:] == [([4, 5, 6], 0.8), ([7], 0.05)]


def test_a_part_of_which_little_is_seen_is_held_for_what_the_pool_is(monkeypatch):
    monkeypatch.setattr("stillwatch.campaigns.search.hands", lambda _: [np.array([4, 5, 6, 7])])
    judged = divided_into({(6, 7): 0.3, (4, 5, 6, 7): 0.8})
    assert [(c.accounts, c.judgement.product) for c in judged] == [
        ([0, 1], 0.9),
        ([2, 3], 0.9),
        ([4, 5], 0.8),
        ([6, 7], 0.8),
    ]
    assert [c.accounts for c in divided_into({(6, 7): 0.3, (4, 5, 6, 7): 0.4})][2:] == [[4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("joined", "held"),
    [([[4, 5], [6, 7]], 0.3), ([[4, 5]], 0.3), ([[4, 6], [5, 7]], 0.8), ([[4, 5, 7]], 0.3)],
)
def test_a_part_that_no_links_join_to_the_rest_stands_for_itself(monkeypatch, joined, held):
    """Whoever came into a pool by a job in common alone is not held for what its hand does. One of two is not most."""
    monkeypatch.setattr("stillwatch.campaigns.search.hands", lambda _: [np.array(cluster) for cluster in joined])
    *_, last = divided_into({(6, 7): 0.3, (4, 5, 6, 7): 0.8})
    assert (last.accounts, last.judgement.product) == ([6, 7], held)


@pytest.fixture
def runs_of_two_jobs(monkeypatch):
    """Accounts 0 to 4 run both jobs, 5 to 9 one of them; gives a search, and a list of whom it weighs."""
    rows = [(j, a) for a in range(5) for j in (0, 1)] + [(0, a) for a in range(5, 10)]
    runs = pa.table({"job": [j for j, _ in rows], "account_no": [a for _, a in rows], "exchanges": [9] * len(rows)})
    asked = []

    def weigh(_, accounts, jobs):
        asked.append((accounts["account_no"].to_pylist(), jobs["job"].to_pylist()))
        return dict(Counter(accounts["group_no"].to_pylist()))

    monkeypatch.setattr(_Search, "weigh", weigh)
    # The ten of them show nothing, the five that run both are likely.
    monkeypatch.setattr("stillwatch.campaigns.search.judge", lambda size: factor(0.9 if size == 5 else 0.2))
    return _Search(None, frozenset(), SimpleNamespace(sent=Senders(runs)), lambda *_: None), asked


def test_who_runs_a_single_job_does_not_hide_what_links_the_others(runs_of_two_jobs):
    """The second group is unlikely as it is."""
    search, asked = runs_of_two_jobs
    groups = [
        SimpleNamespace(judgement=factor(p), jobs=jobs, weighed=SimpleNamespace(members=np.arange(10)))
        for p, jobs in ((0.6, (0, 1)), (0.3, (0, 1)), (0.7, (0,)))
    ]
    assert search.one_hand(groups) == [0.9, 0.3, 0.7]
    assert asked == [([0, 1, 2, 3, 4], [0, 1])]


def test_a_pools_jobs_are_asked_of_whoever_runs_them(runs_of_two_jobs):
    """Its groups showed less, each by itself; a pool that showed more stays as it is."""
    search, asked = runs_of_two_jobs
    pools = [_Part(np.array([0, 1]), np.array([0, 1]), {}, ceiling) for ceiling in (0.6, 0.95)]
    assert [pool.ceiling for pool in search.surer(pools)] == [0.9, 0.95]
    assert {0, 1, 5, 9} <= set(asked[0][0])


def test_of_a_job_that_few_run_nothing_more_is_asked(runs_of_two_jobs):
    search, asked = runs_of_two_jobs
    (pool,) = search.surer([_Part(np.array([0, 1]), np.array([7]), {}, 0.6)])
    assert (pool.ceiling, asked) == (0.6, [([], []), ([], [])])


def factor(probability):
    """A judgement of which only the first factor is asked."""
    return SimpleNamespace(factors=[SimpleNamespace(probability=probability)])


@pytest.mark.parametrize(("most", "named", "kept"), [(0.0, (), {1}), (9.0, (), {0, 1}), (0.0, {12}, {0, 1})])
def test_what_can_only_be_cleared_and_hardly_anybody_sends_mainly_is_not_weighed(monkeypatch, most, named, kept):
    """Of both groups a job has six runners; the first is in passing for two of them. What the links leave open, and
    what an analyst spoke of, is weighed in any case."""
    rows = [(0, a, 9) for a in range(10, 16)] + [(1, a, 9) for a in range(20, 26)]
    sent = pa.table(dict(zip(("job", "account_no", "exchanges"), zip(*rows, strict=True), strict=True)))
    everything = np.full(30, 100)
    everything[[10, 11]] = 10_000
    monkeypatch.setattr(
        "stillwatch.campaigns.search.most_bits", lambda _, groups, *__, **___: np.full(len(groups), most)
    )
    search = _Search(None, frozenset(), SimpleNamespace(sent=Senders(sent), everything=everything), lambda *_: None)
    assert search.worth_weighing({0: np.array([0]), 1: np.array([1])}, named) == kept
    assert search.worth_weighing({7: np.array([0, 1])}, named) == {7}
    assert search.worth_weighing({}, named) == set()


def test_a_group_is_left_out_only_where_all_that_there_may_be_would_leave_it_cleared(monkeypatch):
    """Against a prior of seven bits for strangers; a product of a third is what clears (`calibration`)."""
    monkeypatch.setattr("stillwatch.campaigns.search.most_bits", lambda *_, **__: np.array([5.9, 6.2]))
    search = _Search(None, frozenset(), SimpleNamespace(), lambda *_: None)
    assert search.may_be_more_than_cleared([np.array([0]), np.array([1])]).tolist() == [False, True]
    assert calibration().of(1 / (1 + 2 ** (7 - 5.9))) < CLEARED <= calibration().of(1 / (1 + 2 ** (7 - 6.2)))
