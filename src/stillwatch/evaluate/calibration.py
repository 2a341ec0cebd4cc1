"""Whether probabilities mean what they say: log loss against the best constant, reliability, and bootstrap intervals.

Everything here is a function of sums over accounts, so that an interval costs no more than drawing the sums again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stillwatch.evaluate.measures import Bools, Floats, Ints

# An account is accused at 0.5 and more: the contract of the result tables.
ACCUSED = 0.5
# The report never claims more than 'over 99.9%' nor less than 'under 0.1%'; a probability beyond is judged as that, so
# that one account missed at probability 0 costs 6.9 nats and not infinitely many.
HELD = 0.001
# The range in which reliability is asked for, in ten bins of (all but) equal width.
EDGES = np.array([0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99])
BINS = len(EDGES) - 1
# 1,000 draws place a 95% limit within about 0.7 points of its percentile (sqrt(.025 * .975 / 1000) = 0.5%).
DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class Bin:
    """Accounts whose probability lies from `low` to below `high` (the last bin includes it)."""

    low: float
    high: float
    accounts: int
    mean_probability: float | None
    share_guilty: float | None


@dataclass(frozen=True, slots=True)
class Sums:
    """Figures of one set of accounts, or of many at once: each field has one entry a set. nan where undefined."""

    precision: Floats
    recall: Floats
    log_loss: Floats
    constant_log_loss: Floats
    log_loss_ratio: Floats
    reliability_error: Floats


def features(probability: Floats, guilty: Bools) -> Floats:
    """What each account adds to the sums: shape (accounts, 5 + 3 * BINS)."""
    held = np.clip(probability, HELD, 1 - HELD)
    loss = -np.where(guilty, np.log(held), np.log1p(-held))
    accused = probability >= ACCUSED
    out = np.zeros((len(probability), 5 + 3 * BINS))
    out[:, :5] = np.stack([np.ones(len(probability)), guilty, accused, accused & guilty, loss], axis=1)
    inside = np.flatnonzero((probability >= EDGES[0]) & (probability <= EDGES[-1]))
    place = 5 + 3 * np.minimum(np.searchsorted(EDGES, probability[inside], "right") - 1, BINS - 1)
    out[inside, place] = 1
    out[inside, place + 1] = probability[inside]
    out[inside, place + 2] = guilty[inside]
    return out


def figures(sums: Floats) -> Sums:
    """The figures of sums of `features`; shape (..., 5 + 3 * BINS)."""
    accounts, guilty, accused, right, loss = np.moveaxis(sums[..., :5], -1, 0)
    counted, said, were = (sums[..., 5 + i :: 3] for i in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = guilty / accounts
        constant = -(_xlogx(share) + _xlogx(1 - share))
        return Sums(
            right / accused,
            right / guilty,
            loss / accounts,
            constant,
            np.where(constant > 0, loss / accounts / constant, np.nan),
            np.abs(said - were).sum(-1) / counted.sum(-1),
        )


def _xlogx(x: Floats) -> Floats:
    return np.where(x > 0, x * np.log(np.where(x > 0, x, 1.0)), 0.0)


def bins(probability: Floats, guilty: Bools) -> list[Bin]:
    """Mean probability and share of the guilty among accounts of each bin."""
    sums = features(probability, guilty).sum(0)[5:].reshape(BINS, 3)
    return [
        Bin(float(low), float(high), round(n), said / n if n else None, were / n if n else None)
        for low, high, (n, said, were) in zip(EDGES[:-1], EDGES[1:], sums.tolist(), strict=True)
    ]


def intervals(
    probability: Floats, guilty: Bools, block: Ints, is_campaign: Bools, seed: int = 0
) -> dict[str, tuple[float, float] | None]:
    """95% intervals of every field of `Sums` by the bootstrap over blocks (percentiles 2.5 and 97.5).

    Accounts of one campaign stand or fall together, so whole blocks are drawn with replacement, true campaigns among
    true campaigns and the others among the others, so that every draw has as many campaigns as there are. A block is a
    campaign's accounts, or one account that is in none.

    Args:
        probability, guilty, block: one entry an account; block from 0 without gaps.
        is_campaign: one entry a block.
        seed: of the draws; the same accounts in any order give the same intervals.

    Returns:
        For each figure its limits; None where it is undefined in every draw, or where fewer than two true campaigns
        leave nothing to draw from.
    """
    names = list(Sums.__dataclass_fields__)
    if is_campaign.sum() < 2:
        return dict.fromkeys(names)
    by_block = np.zeros((len(is_campaign), 5 + 3 * BINS))
    order = np.lexsort((guilty, probability, block))  # so that sums of floats do not depend on the order of rows
    np.add.at(by_block, block[order], features(probability[order], guilty[order]))
    draw = np.random.default_rng(seed)
    drawn = sum(_drawn(by_block[stratum], draw) for stratum in (is_campaign, ~is_campaign))
    every = figures(np.asarray(drawn))
    return {name: _limits(getattr(every, name)) for name in names}


def _drawn(by_block: Floats, draw: np.random.Generator) -> Floats:
    """Sums over as many blocks as there are, drawn with replacement, DRAWS times; equal blocks are drawn as one."""
    if not len(by_block):
        return np.zeros((DRAWS, by_block.shape[1]))
    kinds, size = np.unique(by_block, axis=0, return_counts=True)
    times = draw.multinomial(len(by_block), size / len(by_block), size=DRAWS)
    return np.asarray(times @ kinds)


def _limits(values: Floats) -> tuple[float, float] | None:
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
