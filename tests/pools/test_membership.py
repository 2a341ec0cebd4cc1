"""Who of a group is run by the hand: worked by hand, and invariant to the order of accounts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stillwatch.evidence import kinds
from stillwatch.evidence.links import Holders, Reach, held_by
from stillwatch.evidence.weigh import JOINING_LIFT, Held, Observation, Weighed
from stillwatch.pools import FOR_A_PERSON, Business, hands, membership, merged
from stillwatch.pools.mixture import how_many

OUTSIDERS = 200
EXIT = next(k for k in kinds() if k.name == "shared_exit")


def held(members, account, value):
    """Who of the members holds which value, one row each, where all others hold one of their own."""
    known = np.ones(len(members) + OUTSIDERS, np.bool_)
    rows = np.array(sorted(zip(account, value, strict=True)), np.int64).reshape(-1, 2).T.copy()
    nowhere = np.full(len(known), -1)
    holding = Holders(known, *rows, *held_by(*rows), nowhere, np.zeros(0, np.int64))
    return Held(Reach(holding, JOINING_LIFT), members)


def group(shared, size, rate=0.05):
    """A group of `size` accounts of which those in `shared` (lists of accounts) hold a value together."""
    flags = np.zeros(size, np.int8)
    accounts, values = [], []
    for value, holders in enumerate(shared):
        flags[holders] = 1
        accounts += holders
        values += [value] * len(holders)
    made = Weighed(np.arange(size), [Observation(EXIT, 10.0, {})], {"shared_exit": flags}, {"shared_exit": rate})
    made.held["shared_exit"] = held(made.members, accounts, values)
    return made


def business(jobs, everything=None, contracted=(), owner=None):
    """jobs: for every member a dict of job to exchanges."""
    rows = [(i, j, n) for i, sends in enumerate(jobs) for j, n in sends.items()]
    total = np.array(everything if everything is not None else [sum(s.values()) for s in jobs], np.int64)
    return Business(
        np.array([r[0] for r in rows]),
        np.array([r[1] for r in rows]),
        np.array([float(r[2]) for r in rows]),
        total,
        np.isin(np.arange(len(jobs)), contracted),
        np.array(owner if owner is not None else range(len(jobs)), np.int64),
        np.zeros(len(jobs), np.bool_),
    )


DEVICE, CARD = (next(k for k in kinds() if k.name == f"shared_{name}") for name in ("device", "payment"))


def test_an_account_without_a_card_is_joined_by_its_device():
    """Accounts 0 to 4 share a card; 5 and 6 name none, and share a device with 0; 7 shares nothing."""
    card = np.array([1, 1, 1, 1, 1, -1, -1, 0], np.int8)
    device = np.array([1, 0, 0, 0, 0, 1, 1, 0], np.int8)
    made = Weighed(
        np.arange(8),
        [Observation(CARD, 9.0, {}), Observation(DEVICE, 3.0, {})],
        {"shared_payment": card, "shared_device": device},
        {"shared_payment": 0.002, "shared_device": 0.002},
    )
    made.held["shared_payment"] = held(made.members, range(5), [0] * 5)
    made.held["shared_device"] = held(made.members, [0, 5, 6], [0] * 3)
    r = membership(made, business([{0: 20}] * 8))
    assert (r[:7] > 0.9).all()
    assert r[7] < 0.5


LINKED = [[0, 1, 2], [2, 3, 4], [4, 5, 6, 7]]


def test_linked_accounts_are_members_and_a_stranger_with_the_same_job_is_not():
    r = membership(group(LINKED, 10), business([{0: 50, 1: 50}] * 8 + [{0: 50}] * 2))
    assert (r[:8] > 0.9).all()
    assert (r[8:] < 0.5).all()


def test_content_alone_accuses_nobody_who_runs_one_public_job():
    r = membership(group(LINKED, 9), business([{0: 50}] * 9))
    assert r[8] <= FOR_A_PERSON


def test_several_jobs_of_the_pools_own_do_join_an_unlinked_account():
    r = membership(group(LINKED, 9), business([{0: 20, 1: 20, 2: 20}] * 9))
    assert r[8] > 0.5


def test_a_contracted_account_is_left_to_a_person():
    r = membership(group(LINKED, 8), business([{0: 50, 1: 50}] * 8, contracted=[3]))
    assert r[3] <= FOR_A_PERSON
    assert (np.delete(r, 3) > 0.9).all()


def test_what_one_organisation_openly_shares_joins_it_to_nobody():
    shared = [*LINKED, [0, 8], [8, 9]]
    jobs = business([{0: 50, 1: 50}] * 10)
    assert membership(group(shared, 10), jobs)[9] > 0.5
    one_owner = business([{0: 50, 1: 50}] * 10, owner=[*range(8), 77, 77])
    assert membership(group(shared, 10), one_owner)[9] <= FOR_A_PERSON


def test_another_cluster_is_another_hand():
    found = hands(group([[0, 1, 2, 3], [5, 6]], 8))
    assert [c.tolist() for c in found] == [[0, 1, 2, 3], [5, 6]]
    r = membership(group([[0, 1, 2, 3], [5, 6]], 8), business([{0: 50}] * 8))
    assert (r[:4] > 0.9).all() and (r[5:7] < 0.5).all()


def test_running_the_job_in_passing_tells_against():
    jobs = [{0: 50, 1: 50}] * 8
    main = membership(group(LINKED, 8), business(jobs))
    passing = membership(group(LINKED, 8), business(jobs, everything=[100] * 7 + [5000]))
    assert passing[7] < main[7]


@pytest.mark.parametrize("seed", range(5))
def test_order_of_accounts_does_not_matter(seed):
    order = np.random.default_rng(seed).permutation(10)
    place = np.argsort(order)
    jobs = [{0: 50, 1: 50}] * 8 + [{0: 50}] * 2
    r = membership(group(LINKED, 10), business(jobs))
    moved = group([[int(place[a]) for a in value] for value in LINKED], 10)
    assert membership(moved, business([jobs[a] for a in order])) == pytest.approx(r[order])


def test_groups_that_share_half_of_the_smaller_are_one_pool():
    pools = merged([np.array([1, 2, 3, 4]), np.array([3, 4, 5]), np.array([5, 9, 10, 11])])
    assert [(p.tolist(), of) for p, of in pools] == [([1, 2, 3, 4, 5], [0, 1]), ([5, 9, 10, 11], [2])]
    assert merged([]) == []


def test_other_jobs_tell_less_against_an_account_that_is_already_known():
    jobs = [{0: 50}] * 6 + [{1: 50}] * 3
    stranger = business(jobs)
    known = replace(stranger, known=np.arange(9) == 6)
    r = np.array([0.9] * 6 + [0.1] * 3)
    assert stranger.mix().log_odds(r)[6] < known.mix().log_odds(r)[6] < 0


def test_running_more_jobs_than_strangers_do_speaks_for_the_hand_and_fewer_against_nobody():
    jobs = np.array([5.0, 5, 5, 5, 1, 1, 1, 0])
    told = np.empty(8)
    how_many(jobs, np.array([1.0, 1, 1, 0.5, 0, 0, 0, 0.5]), told)
    assert told[3] > 1
    assert (told >= 0).all()
    assert told[[4, 5, 6, 7]].max() == 0


def run_their_own(jobs, everything=None):
    """Whether the last account runs the others' own jobs, where all others are linked."""
    return business(jobs, everything).runs_their_own(np.arange(len(jobs)) < len(jobs) - 1)[-1]


def test_jobs_that_many_linked_accounts_run_need_not_be_most_of_what_it_does():
    """Three jobs of the last one, a fifth of what it sends: with nine others each, and with one other each."""
    three = {0: 10, 1: 10, 2: 10}
    assert run_their_own([three] * 10, [30] * 9 + [150])
    assert not run_their_own([three] * 10, [30] * 9 + [1500])
    assert not run_their_own([three] * 2, [30, 150])
    assert run_their_own([three] * 2, [30, 30])


def test_a_job_that_others_run_in_passing_tells_nothing_of_who_runs_it_too():
    """Three jobs that are hardly anything of what the others send, against three that are most of it."""
    passing = {0: 2, 1: 2, 2: 2, 3: 300}
    assert not run_their_own([passing] * 9 + [{0: 10, 1: 10, 2: 10}])
    assert run_their_own([{0: 90, 1: 90, 2: 90, 3: 30}] * 9 + [{0: 10, 1: 10, 2: 10}])


def test_how_many_jobs_an_account_runs_is_part_of_what_content_says():
    mixed = business([{0: 4, 1: 4, 2: 4, 3: 4}, {0: 4, 1: 3, 2: 2, 3: 1}] * 2 + [{0: 4}, {1: 4}] * 2).mix()
    r, number = np.array([0.9, 0.6] * 2 + [0.4, 0.1] * 2), np.empty(8)
    how_many(mixed.several, r, number)
    assert (number[:4] > 0).all()
    none = replace(mixed, several=np.zeros(8), most=99.0)
    mixed = replace(mixed, most=99.0)
    assert mixed.log_odds(r) - none.log_odds(r) == pytest.approx(number)


def settled_by_definition(mix, flags, strangers, r):
    """The mixture step by step as it is written down: rates with a uniform prior, strangers' as the least of them."""
    known, hit = flags >= 0, flags == 1
    for _ in range(60):
        share = (r.sum() + 1) / (len(r) + 2)
        rate = np.maximum(((hit * r).sum(axis=1) + 1) / ((known * r).sum(axis=1) + 2), strangers)[:, None]
        says = np.where(hit, np.log(rate / strangers[:, None]), np.log((1 - rate) / (1 - strangers[:, None]))) * known
        odds = np.log(share / (1 - share)) + says.sum(axis=0) + mix.log_odds(r)
        before, r = r, 1 / (1 + np.exp(-odds))
        if np.abs(r - before).max() < 1e-9:
            break
    return r, says[:-1].sum(axis=0)


def test_the_mixture_is_settled_as_it_is_defined():
    """The last kind, business in passing, is no link: it moves who belongs, and is left out of what links say."""
    draw = np.random.default_rng(5)
    for size in (2, 5, 12, 30):
        mix = business([{j: int(draw.integers(2, 40)) for j in range(4) if draw.random() < 0.6} or {0: 2}
                        for _ in range(size)]).mix()  # fmt: skip
        flags = draw.integers(-1, 2, (3, size)).astype(np.int8)
        strangers, r = np.array([0.01, 0.1, 0.5]), draw.random(size)
        for found, expected in zip(
            mix.settled(flags, strangers, r), settled_by_definition(mix, flags, strangers, r), strict=True
        ):
            assert found == pytest.approx(expected, abs=1e-7)
