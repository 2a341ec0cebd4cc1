"""Accounts under common control: who of a group's accounts one hand runs, and which accounts links alone join."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stillwatch.evidence import Link, Trait
from stillwatch.evidence.weigh import Observation, Weighed

Floats = npt.NDArray[np.float64]

# Steps of expectation-maximisation; it settles in under thirty on every group met, and each step is a few sums.
STEPS = 60


def _told_by(group: Weighed) -> list[Observation]:
    """The links and traits that tell members apart: of each view the one with the most bits, where positive.

    Kinds of one view depend on each other (an address lies in its block), so only one of them may speak.
    """
    best: dict[str, Observation] = {}
    for seen in group.observations:
        if isinstance(seen.kind, Link | Trait) and seen.bits > 0:
            held = best.get(seen.kind.view)
            if held is None or (seen.bits, seen.kind.name) > (held.bits, held.kind.name):
                best[seen.kind.view] = seen
    return [best[view] for view in sorted(best)]


def membership(group: Weighed) -> Floats:
    """For each of the group's members, the probability that the hand runs it, given that a hand runs some of them.

    A mixture of two classes (Dempster, Laird and Rubin 1977): accounts that the hand runs are hit by each kind of
    evidence at a rate of their own, strangers who carry the same job at the outsiders' rate. Both the share of run
    accounts and their rates are estimated, from a uniform prior. An account without data for a kind is not moved by
    it; an account that nothing links is a member to the degree that the others are. Shape: aligned with members.
    """
    told = _told_by(group)
    size = len(group.members)
    if not told:
        return np.ones(size)
    hits = np.stack([group.hits[o.kind.name] for o in told]).astype(np.float64)
    known = hits >= 0
    hits = np.where(known, hits, 0.0)
    strangers = np.array([group.rates[o.kind.name] for o in told])[:, None]
    r = np.clip((hits * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0.2, 0.9)
    for _ in range(STEPS):
        share = (r.sum() + 1.0) / (size + 2.0)
        rate = ((hits * r).sum(axis=1) + 1.0) / ((known * r).sum(axis=1) + 2.0)
        rate = np.maximum(rate[:, None], strangers)
        run = known * (hits * np.log(rate) + (1 - hits) * np.log1p(-rate))
        other = known * (hits * np.log(strangers) + (1 - hits) * np.log1p(-strangers))
        odds = np.log(share) - np.log1p(-share) + run.sum(axis=0) - other.sum(axis=0)
        r = 1.0 / (1.0 + np.exp(-np.clip(odds, -50, 50)))
    return np.asarray(r, np.float64)
