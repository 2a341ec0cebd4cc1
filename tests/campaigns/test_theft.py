"""One distribution of places or two: by hand, and what holds of every pair of samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.campaigns.theft import (
    KEYS_CAP,
    NO_LIFE_BEFORE_BITS,
    THEFT_PRIOR_BITS,
    Sightings,
    apart,
    elsewhere,
    theft_bits,
)
from stillwatch.evidence.kind import VIEW_CAP

NOTHING = Sightings([], [])
APART = Sightings([0, 12, 9], [14, 0, 0])
TOGETHER = Sightings([10, 12, 9], [3, 4, 2])


def test_places_apart_speak_for_theft_and_one_place_says_nothing():
    assert apart(APART) > 8
    assert apart(TOGETHER) < 0
    assert apart(Sightings([20], [5])) == pytest.approx(0.0)


def test_one_day_of_each_at_two_places_by_hand():
    # Apart: 1/2 each. Together: 1/2, then (0 + 1/2) / (1 + 1) = 1/4. The factor is (1/2 · 1/2) / (1/2 · 1/4) = 2.
    assert apart(Sightings([1, 0], [0, 1])) == pytest.approx(1.0)


def test_without_business_of_its_own_the_prior_speaks():
    assert theft_bits(NOTHING, NOTHING, NOTHING, lived_before=True) == THEFT_PRIOR_BITS
    assert theft_bits(NOTHING, NOTHING, NOTHING, lived_before=False) == THEFT_PRIOR_BITS + NO_LIFE_BEFORE_BITS


def test_keys_apart_are_never_enough_alone():
    bits = theft_bits(NOTHING, NOTHING, Sightings([0, 90], [90, 0]), lived_before=True)
    assert bits == THEFT_PRIOR_BITS + KEYS_CAP
    assert bits < 0


def test_exits_that_a_pool_moves_between_are_one_place():
    """Own business and job through different exits of the pool: no theft, however different the exits."""
    assert theft_bits(APART, Sightings([21], [14]), NOTHING, lived_before=True) < 0
    assert theft_bits(APART, Sightings([21, 0], [0, 14]), NOTHING, lived_before=True) > 0


def test_a_holder_behind_what_is_somebody_elses_exit():
    """Own business from places that the job never has here is the holder's, unless it is one place, or some of the
    job's; by hand: none of 40 places was new, so the second of two is 0.5 in 41 by chance."""
    job, one = [9, 8, 9, 14], Sightings([40], [6])
    assert elsewhere(Sightings([*job, 0, 0], [0, 0, 0, 0, 3, 3])) == pytest.approx(np.log2(0.95 * 41 / 0.5))
    assert theft_bits(Sightings([*job, 0, 0], [0, 0, 0, 0, 3, 3]), one, NOTHING, lived_before=True) > 0
    assert theft_bits(Sightings([*job, 0], [0, 0, 0, 0, 6]), one, NOTHING, lived_before=True) < 0
    assert theft_bits(Sightings([*job, 0, 0], [2, 0, 0, 0, 3, 3]), one, NOTHING, lived_before=True) < 0
    often_new = [1] * 20 + [20]
    assert theft_bits(Sightings([*often_new, 0, 0], [0] * 21 + [3, 3]), one, NOTHING, lived_before=True) < 0


days = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=8)


@given(days, st.randoms())
def test_bounded_and_blind_to_the_order_of_places_and_to_which_sample_is_which(pairs, draw):
    bits = apart(Sightings(*zip(*pairs, strict=True)))
    assert -VIEW_CAP <= bits <= VIEW_CAP
    assert apart(Sightings(*reversed(list(zip(*pairs, strict=True))))) == pytest.approx(bits)
    draw.shuffle(pairs)
    assert apart(Sightings(*zip(*pairs, strict=True))) == pytest.approx(bits)
