"""Figures of a ranking and of counts: average precision, recall at a false-positive rate, a bound on what was not seen.

A ranking is given as three arrays of one length: a score, and how many positives and negatives have it. One entry an
account, or one entry a distinct score, give the same figures; the order of the entries never matters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def ratio(part: float, whole: float) -> float | None:
    """A part of a whole; None where there is no whole."""
    return float(part / whole) if whole else None


def curve(score: Floats, positives: Ints, negatives: Ints) -> tuple[Floats, Ints, Ints]:
    """Distinct scores, highest first, and how many positives and negatives have each of them or a higher one."""
    levels, place = np.unique(-score, return_inverse=True)
    right = np.bincount(place, weights=positives, minlength=len(levels)).cumsum()
    wrong = np.bincount(place, weights=negatives, minlength=len(levels)).cumsum()
    return -levels, right.round().astype(np.int64), wrong.round().astype(np.int64)


def average_precision(score: Floats, positives: Ints, negatives: Ints) -> float | None:
    """Sum over distinct scores of the step in recall times the precision there; None without positives.

    Entries of one score stand or fall together, and nothing is interpolated (Davis and Goadrich 2006 show why not):
    the definition of scikit-learn's average_precision_score.
    """
    _, right, wrong = curve(score, positives, negatives)
    if not len(right) or not right[-1]:
        return None
    precision = right / np.maximum(right + wrong, 1)
    steps = np.diff(right, prepend=0)
    return float((steps * precision).sum() / right[-1])


def recall_at(score: Floats, positives: Ints, negatives: Ints, false_rate: float) -> float | None:
    """The share of positives above the lowest score at which at most `false_rate` of the negatives stand above too.

    A score of 0 accuses nobody, so it is no threshold. None without positives.
    """
    levels, right, wrong = curve(score, positives, negatives)
    if not len(right) or not right[-1]:
        return None
    allowed = right[(wrong <= false_rate * wrong[-1]) & (levels > 0)]
    return float(allowed[-1] / right[-1]) if len(allowed) else 0.0


def upper_bound(seen: int, trials: int, confidence: float = 0.95) -> float | None:
    """The largest rate at which so few of so many would still be seen with probability 1 - confidence.

    Clopper and Pearson (1934), one-sided. With none seen it is 1 - (1 - confidence)^(1/trials), which the rule of three
    rounds to 3/trials. None without trials.
    """
    if not trials:
        return None
    return 1.0 if seen >= trials else float(beta.ppf(confidence, seen + 1, trials - seen))
