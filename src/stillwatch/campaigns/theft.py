"""Stolen keys: whether a job came into an account from elsewhere, beside the holder's own business.

The holder of a stolen key works from places, and through keys, that the thief does not use. Somebody who takes part, or
a pool that relays customers, sends both through the same ones. So the question is whether two samples, the job and the
rest of what the account sends, were drawn from one distribution of places or from two: a Bayes factor of
Dirichlet-multinomials (Good 1967), which needs no list of exits, no home and no least number of exchanges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from stillwatch.evidence.kind import VIEW_CAP

# Of a pool's accounts about 3% (one in 32) are assumed to be stolen, since no figure is public.
THEFT_PRIOR_BITS = -5.0
# Jeffreys' prior for the share of each place.
EVEN = 0.5
# Two to one is the least that says anything.
DIFFERENT_BITS = 1.0
# Whoever relays customers may give them keys of their own: keys apart are 8 to 1 at most, and never enough alone.
KEYS_CAP = 3.0
# A holder's own business comes from one of the thief's places as seldom as one time in twenty: a convention. Of 3,630
# members and six holders on ten worlds looked at while building, of whom exits said nothing, it takes four members for
# holders of stolen keys and finds three of these; one in three would take nine.
THIEFS_TOO = 0.05
# A key cannot be stolen from an account that did not yet live. Business of its own for a day before the job, or an age
# of thirty days (the disclosed pools' accounts lived for days to weeks), shows that it did; where neither is seen,
# theft is 64 times less likely: a convention.
HEAD_START_US = 86_400_000_000
AGED_US = 30 * 86_400_000_000
NO_LIFE_BEFORE_BITS = -6.0


@dataclass(frozen=True, slots=True)
class Sightings:
    """One account's job and its own business by place (or key).

    job, own: for every place, on how many days each was seen there. Days, since a day's exchanges from one place are
    no independent draws.
    """

    job: Sequence[int]
    own: Sequence[int]


def _log2_evidence(days: np.ndarray) -> float:
    """log2 probability of a sequence of draws with these counts, their distribution unknown."""
    size = len(days)
    value = gammaln(size * EVEN) - gammaln(days.sum() + size * EVEN) + (gammaln(days + EVEN) - gammaln(EVEN)).sum()
    return float(value / np.log(2))


def apart(seen: Sightings) -> float:
    """Bits that the job and the account's own business come from different places, within `VIEW_CAP`."""
    job, own = np.array(seen.job, np.int64), np.array(seen.own, np.int64)
    if not job.sum() or not own.sum():
        return 0.0
    bits = _log2_evidence(job) + _log2_evidence(own) - _log2_evidence(job + own)
    return max(-VIEW_CAP, min(VIEW_CAP, bits))


def elsewhere(seen: Sightings) -> float:
    """Bits that the account's own business comes from places that are none of the job's, however often each is used:
    how likely a further place of the job's would be one where it was not yet seen is told by how many were seen once
    (Good 1953). The first such place is not counted: a customer who is relayed may be given an exit of his own."""
    job, own = np.array(seen.job, np.int64), np.array(seen.own, np.int64)
    new = ((job == 1).sum() + EVEN) / (job.sum() + 1)
    apart_from, among = ((own > 0) & (job == 0)).sum(), ((own > 0) & (job > 0)).sum()
    return float(max(0, apart_from - 1) * np.log2((1 - THIEFS_TOO) / new) + among * np.log2(THIEFS_TOO / (1 - new)))


def theft_bits(places: Sightings, exits: Sightings, keys: Sightings, *, lived_before: bool) -> float:
    """log2 odds that the account's key was stolen and its holder takes no part.

    exits: as places, but those that several members use taken as one, since a pool moves between its exits as it likes.
    Where the two kinds of business come from different places even so, it matters which exits those were. Where they do
    not, a holder may still live behind what is somebody else's exit: then his places are none that the job has here.
    lived_before: whether the account is known to have lived before the job came.
    """
    by_places, by_exits = apart(places), apart(exits)
    if by_exits < DIFFERENT_BITS:
        by_places = max(by_exits, min(by_places, elsewhere(places)))
    by_keys = max(-KEYS_CAP, min(KEYS_CAP, apart(keys)))
    return THEFT_PRIOR_BITS + by_places + by_keys + (0.0 if lived_before else NO_LIFE_BEFORE_BITS)
