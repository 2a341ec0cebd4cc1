"""The statistics of papers, on examples worked by hand."""

import numpy as np
import pytest
from scipy.stats import shapiro

from bench.peers import hashed
from bench.peers.published import (
    distances,
    gaussian,
    growing_set_distances,
    median_distance,
    mmd,
    nearest_distances,
    normality,
    similar_pairs,
)


def on_a_line(*places: float) -> np.ndarray:
    """Distances of points on a line."""
    return np.abs(np.subtract.outer(places, places)).astype(float)


def test_distances_are_euclidean() -> None:
    x = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    assert distances(x, x) == pytest.approx(np.array([[0.0, 5.0], [5.0, 0.0]]), abs=1e-6)


def test_the_growing_set_takes_only_what_is_far_from_it() -> None:
    # 0 joins. 4 is 4 away: joins (0, 4: mean 2, deviation 2, threshold 0). 5 is 1 from 4: joins (0, 4, 1: mean 5/3,
    # deviation 1.7, less than 0: threshold stays 0). 5 again is 0 away: not above 0, does not join.
    assert growing_set_distances(on_a_line(0, 4, 5, 5)).tolist() == [4, 1, 0]


def test_the_threshold_of_the_growing_set_rises() -> None:
    # Six queries each 10 from the last: distances joined 0, 10, 10, 10, 10, 10: mean 25/3, deviation 3.73, threshold
    # 4.61. The seventh, 1 from the sixth, does not join, so that the eighth, 1 from the seventh, is 2 from the set.
    assert growing_set_distances(on_a_line(0, 10, 20, 30, 40, 50, 51, 52)).tolist() == [10, 10, 10, 10, 10, 1, 2]


def test_no_query_has_no_distance() -> None:
    assert len(growing_set_distances(np.zeros((0, 0)))) == 0
    assert len(nearest_distances(np.zeros((1, 1)))) == 0


def test_the_nearest_other_query_is_never_the_query_itself() -> None:
    assert nearest_distances(on_a_line(0, 1, 5)).tolist() == [1, 1, 4]


def test_normality_is_shapiro_and_wilks_w_without_outliers() -> None:
    rng = np.random.default_rng(1)
    bell = rng.normal(size=200)
    assert normality(np.append(bell, 60.0)) == pytest.approx(shapiro(bell).statistic)
    two_lumps = np.concatenate([rng.normal(0, 0.1, 100), rng.normal(5, 0.1, 100)])
    # The paper alarms where W falls below 0.9 to 0.96.
    assert (normality(bell) or 0) > 0.96
    assert (normality(two_lumps) or 0) < 0.9


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [1.0, 1.0, 1.0, 1.0]])
def test_too_few_or_equal_distances_are_not_tested(values: list[float]) -> None:
    assert normality(np.array(values)) is None


def test_each_similar_pair_is_counted_once() -> None:
    # Within 1: (0, 1), (1, 2), (0, 0.5), (0.5, 1) of the four points.
    assert similar_pairs(on_a_line(0, 1, 2, 0.5), 1.0) == 4
    assert similar_pairs(on_a_line(0, 5), 1.0) == 0


def test_mmd_by_hand() -> None:
    # k(x1, x2) = 0.5, k(y1, y2) = 0.25, all between 0.125: 0.5 + 0.25 - 2 * 0.125. The diagonals do not count.
    within_x, within_y = np.array([[1, 0.5], [0.5, 1]]), np.array([[1, 0.25], [0.25, 1]])
    between = np.full((2, 2), 0.125)
    assert mmd(within_x, within_y, between) == pytest.approx(0.5)
    assert mmd(within_x, within_y, between.mean(1, keepdims=True)) == pytest.approx(0.5)


def test_mmd_is_unbiased_where_nothing_differs_and_large_where_something_does() -> None:
    rng = np.random.default_rng(2)

    def drawn(shift: float) -> float:
        x, y = (rng.normal(s, 1, (60, 3)).astype(np.float32) for s in (shift, 0.0))
        bandwidth = median_distance(distances(y, y))
        return mmd(*(gaussian(distances(a, b), bandwidth) for a, b in ((x, x), (y, y), (x, y))))

    null = np.array([drawn(0) for _ in range(200)])
    assert abs(null.mean()) < 3 * null.std() / np.sqrt(len(null))
    assert drawn(1.0) > null.max()


def test_the_median_distance_leaves_out_a_point_and_itself() -> None:
    assert median_distance(on_a_line(0, 1, 3)) == 2


def test_hashed_ngrams_know_neither_case_nor_length() -> None:
    plain, loud, longer, other, empty = hashed.encode(
        ["write a poem ", "WRITE A POEM ", "write a poem " * 5, "请把这段话翻译成英文", ""]
    )
    assert np.linalg.norm(plain) == pytest.approx(1)
    assert plain @ loud == pytest.approx(1)
    assert plain @ longer > 0.85
    assert plain @ other < 0.3
    assert not empty.any()
