"""Rounds of a hunt on links written by hand: what joins, what does not, and where it stops."""

import numpy as np
import pytest

from stillwatch.hunt.expand import core, expand, kind_bits, prior_bits, reasons, value_bits, weighed
from stillwatch.hunt.links import Held
from stillwatch.outputs.links import Trace

ACCOUNTS = 800


def held(view: str, *values: list[int], alone: bool = True, name: str = "") -> Held:
    """Accounts that hold each value; every account not named has a value of its own, where alone."""
    groups = [*values]
    if alone:
        named = {a for v in values for a in v}
        groups += [[a] for a in range(ACCOUNTS) if a not in named]
    account = np.array([a for g in groups for a in g], np.int64)
    value = np.array([n for n, g in enumerate(groups) for _ in g], np.int64)
    size = np.bincount(account, minlength=ACCOUNTS)
    trace = Trace(name or view, view, "")
    holders = np.array([len(g) for g in groups])
    return Held(trace, account, value, size[account], holders, ACCOUNTS, [f"v{n}" for n in range(len(groups))])


def begun(*accounts: int) -> np.ndarray:
    flags = np.zeros(ACCOUNTS, np.bool_)
    flags[list(accounts)] = True
    return flags


def found(held_: list[Held], *seeds: int, rounds: int = 6) -> dict[int, int]:
    number = expand(held_, begun(*seeds), rounds).found
    return {int(a): int(number[a]) for a in np.flatnonzero(number > 0)}


def test_a_shared_value_is_worth_how_much_commoner_it_is_among_those_found():
    bits = value_bits(held("identity", [0, 1]), begun(0))
    # (1 + 1) / (1 + 2) inside; outside the account itself nobody holds it: 0.5 / (800 - 1 - 1 + 1).
    assert bits[1] == pytest.approx(np.log2((2 / 3) / (0.5 / 799)))
    assert bits[2:].max() == 0


def test_a_value_that_many_hold_is_worth_little_or_nothing():
    [few, many, most] = [value_bits(held("infrastructure", list(range(n))), begun(0))[1] for n in (3, 100, 700)]
    assert few > 8
    assert few > many > 1
    assert most == 0


def test_the_more_are_found_the_less_a_value_says_that_one_of_them_holds():
    alone = value_bits(held("infrastructure", [0, 100]), begun(0))[1]
    of_forty = value_bits(held("infrastructure", [0, 100]), begun(*range(40)))[1]
    assert alone - of_forty == pytest.approx(np.log2((2 / 3) / (2 / 42)), abs=0.1)


def test_an_account_does_not_join_itself():
    assert value_bits(held("identity", [0, 1]), begun(0))[0] == 0
    # Of two found that share it, each has one of one other inside: (1 + 1) / (1 + 2), and nobody outside.
    both = value_bits(held("identity", [0, 1]), begun(0, 1))
    assert both[:2] == pytest.approx(np.log2((2 / 3) / (0.5 / 799)))


def test_whoever_holds_many_values_has_many_chances():
    one = held("infrastructure", [0, 1])
    many = held("infrastructure", [0, 1], *[[1] for _ in range(31)])
    assert kind_bits(one, begun(0))[1] - kind_bits(many, begun(0))[1] == pytest.approx(5)


def test_two_views_find_and_one_does_not():
    exits, cards = held("infrastructure", [0, 1, 2]), held("identity", [0, 1])
    assert found([exits, cards], 0) == {1: 1}
    assert found([exits], 0) == {}


def test_content_and_cohort_never_join_by_themselves():
    several = [held(view, [0, 1]) for view in ("content", "registration", "timing", "adaptation")]
    made = weighed(several, begun(0))
    assert made.views[1] == 4
    assert not made.near[1]
    assert found(several, 0) == {}


def test_a_chain_is_followed_round_by_round_and_told():
    exits = held("infrastructure", [0, 1], [1, 2], [2, 3])
    jobs = held("content", [0, 1, 2, 3])
    assert found([exits, jobs], 0) == {1: 1, 2: 2, 3: 3}
    assert found([exits, jobs], 0, rounds=1) == {1: 1}


def test_what_is_common_to_everybody_is_not_followed():
    half = list(range(0, ACCOUNTS, 2))
    assert found([held("infrastructure", half), held("identity", half)], 0) == {}


def test_whom_the_others_do_not_bear_out_is_dropped():
    # 9 shares a card and an exit with the seed alone, which stands with twenty others who share with each other.
    pool = list(range(9))
    shared = [held("infrastructure", pool, [0, 9, *range(300, 320)]), held("handover", pool), held("content", pool)]
    assert set(found(shared, 0)) == set(range(1, 9))


def test_of_many_holders_of_a_seed_those_who_stand_together_lead():
    exits, cards = held("infrastructure", [0, 1, 2, 3]), held("identity", [0, 1])
    assert np.flatnonzero(core([exits, cards], begun(0, 1, 2, 3, 50))).tolist() == [0, 1]
    assert np.flatnonzero(core([exits], begun(7, 8))).tolist() == [7, 8]


def test_the_prior_is_eight_accounts_among_all():
    assert prior_bits(8 * 64) == 6
    assert prior_bits(3) == 1


def test_reasons_name_value_and_holder():
    exits, cards = held("infrastructure", [0, 1, 2]), held("identity", [0, 1])
    first, second = reasons([exits, cards], begun(0), np.arange(ACCOUNTS), 1)
    assert (first.kind, first.found, first.of_found, first.through) == (1, 1, 1, 0)
    assert (second.kind, second.value) == (0, 0)
    assert reasons([exits, cards], begun(0), np.arange(ACCOUNTS), 700) == []
