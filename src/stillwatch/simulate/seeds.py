"""Numbers at random that depend on nothing but their name: hashes of integer columns, elementwise.

Every property of a row is a function of such a hash, so that rows can be made in any order and any batch.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Seeds = npt.NDArray[np.uint64]

# The constants of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
GAMMA, STEP_1, STEP_2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def mixed(*parts: Seeds | Ints | int) -> Seeds:
    """A 64-bit hash of integer columns, elementwise: the same parts give the same number.

    Of a single part it is a bijection: different numbers have different hashes.
    """
    h: Seeds = np.array(GAMMA)
    with np.errstate(over="ignore"):
        for part in parts:
            h = np.asarray(h + np.asarray(part).astype(np.uint64) * GAMMA + np.uint64(0x632BE59BD9B4E019))
            h = (h ^ (h >> np.uint64(30))) * STEP_1
            h = (h ^ (h >> np.uint64(27))) * STEP_2
            h = h ^ (h >> np.uint64(31))
    return h


def fraction(h: Seeds) -> npt.NDArray[np.float64]:
    """A hash as a number in [0, 1)."""
    out: npt.NDArray[np.float64] = (h >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return out


def normal(h: Seeds) -> npt.NDArray[np.float64]:
    """A hash as a draw from the standard normal distribution (Box and Muller)."""
    u, v = fraction(mixed(h, 1)), fraction(mixed(h, 2))
    out: npt.NDArray[np.float64] = np.sqrt(-2.0 * np.log1p(-u)) * np.cos(2.0 * math.pi * v)
    return out
