"""Log loss, reliability and intervals, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.evaluate.calibration import bins, features, figures, intervals


def of(probability, guilty):
    return figures(features(np.array(probability, float), np.array(guilty, bool)).sum(0))


def test_log_loss_against_the_best_constant():
    sums = of([0.8, 0.4, 0.4, 0.2], [True, False, True, False])
    assert sums.log_loss == pytest.approx(-(np.log(0.8) + np.log(0.6) + np.log(0.4) + np.log(0.8)) / 4)
    assert sums.constant_log_loss == pytest.approx(np.log(2))  # half are guilty
    assert sums.log_loss_ratio == pytest.approx(sums.log_loss / np.log(2))


def test_the_best_constant_is_not_better_than_itself():
    assert of([0.25] * 4, [True, False, False, False]).log_loss_ratio == pytest.approx(1)


def test_a_certain_mistake_is_held_at_a_thousandth():
    assert of([0.0], [True]).log_loss == pytest.approx(-np.log(0.001))
    assert of([1.0], [False]).log_loss == pytest.approx(-np.log(0.001))


def test_where_nobody_is_guilty_there_is_no_constant_to_beat():
    assert np.isnan(of([0.1, 0.2], [False, False]).log_loss_ratio)


def test_reliability():
    # two in 0.2 to 0.3 (mean 0.25, none guilty), one in 0.8 to 0.9 (guilty); 0 and 1 lie outside
    sums = of([0.22, 0.28, 0.8, 0.0, 1.0], [False, False, True, True, False])
    assert sums.reliability_error == pytest.approx((2 * 0.25 + 1 * 0.2) / 3)
    filled = [b for b in bins(np.array([0.22, 0.28, 0.8]), np.array([False, False, True])) if b.accounts]
    assert [(b.low, b.high, b.accounts, b.share_guilty) for b in filled] == [(0.2, 0.3, 2, 0.0), (0.8, 0.9, 1, 1.0)]
    assert filled[0].mean_probability == pytest.approx(0.25)


def test_the_edges_of_the_bins():
    made = bins(np.array([0.01, 0.1, 0.99, 0.995, 0.009]), np.zeros(5, bool))
    assert [b.accounts for b in made] == [1, 1, 0, 0, 0, 0, 0, 0, 0, 1]


def blocks(*accounts):
    """Rows of (probability, guilty, block); campaigns are the blocks with a guilty account."""
    probability, guilty, block = (np.array(column) for column in zip(*accounts, strict=True))
    campaign = np.bincount(block, weights=guilty) > 0
    return probability.astype(float), guilty.astype(bool), block, campaign


def test_intervals_draw_whole_campaigns():
    # one campaign is wholly found, one wholly missed: a draw has both, or one of them twice, so recall is 0, 1/2 or 1
    rows = [(0.9, True, 0)] * 5 + [(0.0, True, 1)] * 5 + [(0.0, False, 2 + i) for i in range(50)]
    limits = intervals(*blocks(*rows))
    assert limits["recall"] == (0.0, 1.0)
    assert limits["precision"] == (1.0, 1.0)


def test_intervals_are_the_same_each_time_and_in_any_order():
    draw = np.random.default_rng(5)
    rows = [(float(p), bool(draw.random() < p), int(b)) for b in range(6) for p in draw.random(7)]
    first = intervals(*blocks(*rows))
    assert first == intervals(*blocks(*rows))
    draw.shuffle(rows)
    shuffled = [(float(p), bool(g), int(b)) for p, g, b in rows]
    assert first == intervals(*blocks(*shuffled))
    assert first["log_loss_ratio"][0] < first["log_loss_ratio"][1]


def test_one_campaign_gives_no_interval():
    assert set(intervals(*blocks((0.9, True, 0), (0.1, False, 1))).values()) == {None}


@given(st.lists(st.booleans(), min_size=1))
def test_perfect_probabilities(guilty):
    sums = of([0.999 if g else 0.001 for g in guilty], guilty)
    assert sums.log_loss == pytest.approx(0.001, rel=0.01)
    if any(guilty):
        assert sums.precision == sums.recall == 1
