"""What a product of factors is worth."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stillwatch.campaigns.calibration import Calibration, calibration

SHARES = st.floats(0, 1)


def slope(value):
    return Calibration(value, (), 10**15, 0.0, 0.0, "")


@given(SHARES, SHARES)
def test_order_and_even_odds_stay(a, b):
    made = slope(3.0)
    assert (made.of(a) <= made.of(b)) or a > b
    assert (made.of(a) >= 0.5) == (a >= 0.5)
    assert 0 <= made.of(a) <= 1


def test_a_slope_of_one_changes_nothing_and_a_steeper_one_moves_away_from_even():
    assert abs(slope(1.0).of(0.8) - 0.8) < 1e-12
    assert slope(2.0).of(0.8) == 16 / 17
    assert slope(2.0).of(0.2) < 0.2


def test_nothing_is_surer_than_what_was_counted_allows():
    made = Calibration(3.0, (), 98, 0.0, 0.0, "")
    assert made.of(1.0) == made.surest == 0.99
    assert made.of(0.0) == 1 - made.surest
    assert made.of(0.5) == 0.5


def test_what_is_shipped_says_what_it_was_fitted_on():
    shipped = calibration()
    assert shipped.slope > 0
    assert shipped.accounts > 500
    assert len(shipped.worlds) > 5
    assert shipped.log_loss < shipped.bare
