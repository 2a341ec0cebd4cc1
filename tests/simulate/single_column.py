"""How well one column alone tells campaign from background: the best balanced accuracy of any simple rule on it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# A set of values of one column is a rule a person could write down up to about this many values.
FEW_VALUES = 60


def best_balanced_accuracy(column: pa.ChunkedArray, guilty: np.ndarray) -> float:
    """The best of: null or not, a threshold on the value, on its length, on its place in sorted order, on how often it
    occurs, one value against the rest, and (where there are few) any set of values."""
    column = column.combine_chunks()
    scores = [_threshold(np.asarray(pc.is_null(column)).astype(float), guilty)]
    if pa.types.is_list(column.type):
        column = pc.binary_join(column, ",")
    if pa.types.is_string(column.type):
        scores.append(_threshold(np.asarray(pc.binary_length(column).fill_null(-1)).astype(float), guilty))
        numbers = np.asarray(pc.rank(column.fill_null(""), tiebreaker="dense"))
    elif pa.types.is_timestamp(column.type):
        numbers = np.asarray(column.cast(pa.int64()).fill_null(-1))
    else:
        numbers = np.asarray(column.cast(pa.float64()).fill_null(-1))
    scores.append(_threshold(numbers.astype(float), guilty))
    _, value = np.unique(numbers, return_inverse=True)
    counts = np.bincount(value)
    scores.append(_threshold(counts[value].astype(float), guilty))
    there = np.bincount(value[guilty], minlength=len(counts)) / guilty.sum()
    elsewhere = np.bincount(value[~guilty], minlength=len(counts)) / (~guilty).sum()
    gap = np.abs(there - elsewhere)
    scores.append(0.5 + 0.5 * float(gap.max()))
    if len(counts) <= FEW_VALUES:
        scores.append(0.5 + 0.25 * float(gap.sum()))  # half the total variation distance
    return max(scores)


def _threshold(x: np.ndarray, guilty: np.ndarray) -> float:
    order = np.argsort(x, kind="stable")
    hits, alarms = np.cumsum(guilty[order]) / guilty.sum(), np.cumsum(~guilty[order]) / (~guilty).sum()
    between = np.append(x[order][1:] != x[order][:-1], True)
    return 0.5 + 0.5 * float(np.abs(hits - alarms)[between].max())
