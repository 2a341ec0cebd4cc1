"""Average precision, recall at a rate, and the bound on what was not seen, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.evaluate.measures import average_precision, ratio, recall_at, upper_bound


def arrays(*rows):
    score, right, wrong = zip(*rows, strict=True)
    return np.array(score, float), np.array(right), np.array(wrong)


def test_ratio():
    assert ratio(1, 4) == 0.25
    assert ratio(0, 0) is None


def test_average_precision_by_hand():
    # right, wrong, right: recall goes to 1/2 at precision 1, then to 1 at precision 2/3
    assert average_precision(*arrays((0.9, 1, 0), (0.8, 0, 1), (0.7, 1, 0))) == pytest.approx(1 / 2 + 1 / 2 * 2 / 3)


def test_average_precision_of_ties_does_not_depend_on_luck():
    # one right and one wrong at the same score are one step of precision 1/2
    assert average_precision(*arrays((0.9, 1, 0), (0.9, 0, 1))) == 0.5
    assert average_precision(*arrays((0.9, 0, 1), (0.9, 1, 0))) == 0.5


def test_average_precision_of_what_nobody_found_is_the_base_rate():
    assert average_precision(*arrays((0.0, 3, 9))) == 0.25
    assert average_precision(*arrays((0.5, 0, 9))) is None


def test_recall_at_a_rate_of_false_positives():
    ranking = arrays((0.9, 2, 0), (0.8, 1, 1), (0.7, 1, 1), (0.0, 0, 998))
    assert recall_at(*ranking, 0.001) == 3 / 4  # one of a thousand negatives is allowed
    assert recall_at(*ranking, 0.0) == 2 / 4
    assert recall_at(*arrays((0.0, 2, 2)), 1.0) == 0.0  # a score of 0 accuses nobody
    assert recall_at(*arrays((0.9, 0, 2)), 1.0) is None


def test_upper_bound():
    assert upper_bound(0, 100) == pytest.approx(1 - 0.05 ** (1 / 100))  # about 3/100, the rule of three
    assert upper_bound(0, 0) is None
    assert upper_bound(5, 5) == 1.0
    # at the bound, as few as were seen have a chance of 5%: (1-p)^10 + 10 p (1-p)^9
    p = upper_bound(1, 10)
    assert (1 - p) ** 10 + 10 * p * (1 - p) ** 9 == pytest.approx(0.05)


rankings = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9]), st.integers(0, 3), st.integers(0, 3)), min_size=1)


@given(rankings, st.randoms())
def test_the_order_of_rows_never_matters(rows, random):
    shuffled = rows.copy()
    random.shuffle(shuffled)
    assert average_precision(*arrays(*rows)) == average_precision(*arrays(*shuffled))
    assert recall_at(*arrays(*rows), 0.1) == recall_at(*arrays(*shuffled), 0.1)


@given(rankings)
def test_one_row_a_score_gives_the_same_as_one_an_entry(rows):
    single = [(s, 1, 0) for s, right, _ in rows for _ in range(right)]
    single += [(s, 0, 1) for s, _, wrong in rows for _ in range(wrong)]
    if single:
        assert average_precision(*arrays(*rows)) == average_precision(*arrays(*single))


@given(rankings)
def test_average_precision_is_its_definition(rows):
    positives = sum(right for _, right, _ in rows)
    total = 0.0
    for threshold in {score for score, _, _ in rows}:
        above = [(r, w) for s, r, w in rows if s >= threshold]
        right, flagged = sum(r for r, _ in above), sum(r + w for r, w in above)
        gained = sum(r for s, r, _ in rows if s == threshold)
        total += gained / positives * right / flagged if gained else 0.0
    assert average_precision(*arrays(*rows)) == (pytest.approx(total) if positives else None)


@given(st.integers(1, 9), st.integers(0, 9))
def test_a_perfect_ranking_gives_one(right, wrong):
    perfect = arrays((0.9, right, 0), (0.1, 0, wrong))
    assert average_precision(*perfect) == recall_at(*perfect, 0.0) == 1.0
