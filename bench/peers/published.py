"""Statistics of published detectors of model extraction, written from their papers. Pure functions on embeddings.

- PRADA: Juuti, Szyller, Marchal and Asokan, EuroS&P 2019 (arXiv 1805.02628), and the authors' own program.
- SEAT: Zhang, Chen and Wagner, AISec 2021 (doi 10.1145/3474369.3486863).
- Benign-calibrated MMD: Liu, Guo and Dong, 2026 (arXiv 2606.05725), and the README of their program; the estimator is
  that of Gretton, Borgwardt, Rasch, Schölkopf and Smola, JMLR 13 (2012), lemma 6.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import shapiro

Floats = npt.NDArray[np.floating]
Embeddings = npt.NDArray[np.float32]
# Distances farther than this many standard deviations from their mean are set aside before the test, as in PRADA.
OUTLIERS = 3.0
# Shapiro and Wilk's test needs three values and is tabulated up to 5,000.
LEAST, MOST = 3, 5_000


def distances(x: Embeddings, y: Embeddings) -> Floats:
    """Euclidean distance of every row of x from every row of y, (len(x), len(y))."""
    square = (x * x).sum(1)[:, None] + (y * y).sum(1)[None, :] - 2 * (x @ y.T)
    return np.asarray(np.sqrt(np.maximum(square, 0)))


def growing_set_distances(apart: Floats) -> Floats:
    """PRADA: the distance of each query but the first from the nearest one of the growing set.

    apart: (n, n) distances of queries in the order in which they came. A query joins the set where it is farther from
    it than the threshold, which is then raised to the mean less the standard deviation of the distances at which
    queries joined. The paper keeps a set for each class that the model answered with; text has no classes: one set.
    """
    if not len(apart):
        return np.zeros(0)
    kept, joined, threshold, nearest = [0], [0.0], 0.0, []
    for n in range(1, len(apart)):
        least = float(apart[n, kept].min())
        nearest.append(least)
        if least > threshold:
            kept.append(n)
            joined.append(least)
            threshold = max(threshold, float(np.mean(joined) - np.std(joined)))
    return np.array(nearest)


def nearest_distances(apart: Floats) -> Floats:
    """The distance of each query from the nearest other one: PRADA as adapted to windows of text by Liu et al."""
    others = apart + np.diag(np.full(len(apart), np.inf))
    return np.asarray(others.min(1)) if len(apart) > 1 else np.zeros(0)


def normality(values: Floats) -> float | None:
    """PRADA: Shapiro and Wilk's W without outliers; None where too few distinct values are left to test.

    Low where distances are no longer normally distributed, which is when the paper raises an alarm (below 0.9 to 0.96).
    """
    if len(values) < LEAST:
        return None
    # Not stricter than the paper's: equal values would have none below zero deviations.
    kept = values[np.abs(values - values.mean()) <= OUTLIERS * values.std()][:MOST]
    if len(kept) < LEAST or np.ptp(kept) == 0:
        return None
    return float(shapiro(kept).statistic)


def similar_pairs(apart: Floats, delta: float) -> int:
    """SEAT: how many pairs of one sender's queries lie within delta of each other. Many of them cancel an account.

    The paper trains its encoder adversarially, on images; of text there is only a general encoder.
    """
    near = apart <= delta
    return (int(np.count_nonzero(near)) - int(np.count_nonzero(near.diagonal()))) // 2


def median_distance(apart: Floats) -> float:
    """The median of the distances between different rows: the usual bandwidth of a Gaussian kernel (Gretton et al.)."""
    return float(np.median(apart[np.triu_indices(len(apart), 1)]))


def gaussian(apart: Floats, bandwidth: float) -> Floats:
    """The Gaussian kernel of distances."""
    return np.exp(-(apart * apart) / apart.dtype.type(2 * bandwidth**2))


def mmd(within_x: Floats, within_y: Floats, between: Floats) -> float:
    """The unbiased squared maximum mean discrepancy from kernels (m, m), (n, n) and (m, n); may be negative.

    Of `between` only the mean counts, so that its rows' means (m, 1) do as well.
    """
    m, n = len(within_x), len(within_y)
    x = (within_x.sum(dtype=np.float64) - np.trace(within_x, dtype=np.float64)) / (m * (m - 1))
    y = (within_y.sum(dtype=np.float64) - np.trace(within_y, dtype=np.float64)) / (n * (n - 1))
    return float(x + y - 2 * between.mean(dtype=np.float64))
