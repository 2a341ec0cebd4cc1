"""What a kind of evidence is: one SQL query that counts, one pure function that weighs, and its dossier.

Three mechanisms cover every kind, so that a kind is data:

- `Link`: the query gives (account_no, value). A member of a group is *hit* where another member has a value of its; an
  outsider is hit where a member has one. If a value is popular, outsiders are hit as often, and the bits fall to none:
  no list of popular values is needed.
- `Trait`: the query gives (account_no, part, whole) for every account that it can speak of. An account is hit where
  part / whole exceeds all but `TRAIT_OUTSIDERS` of the outsiders' ratios.
- `Conduct`: the query gives one row of integer counts a group, and the kind's own function weighs them.

Links and traits are weighed by `linkage`: are members hit more often than outsiders are?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, gammaln

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

View = Literal[
    "identity",
    "registration",
    "infrastructure",
    "handover",
    "timing",
    "partition",
    "content",
    "adaptation",
    "conduct",
    "standing",
]
Claim = Literal["one_hand", "extraction", "unsanctioned"]

# A trait is what at most one outsider in twenty has: rarer and small groups have too few outsiders to measure it,
# commoner and it tells little (the usual 5% level; the bits then follow from how many members have it).
TRAIT_OUTSIDERS = 0.05
# How far a group's own rate may stray from the outsiders' for innocent reasons: the null rate is Beta distributed with
# this concentration (the beta-binomial of Skellam 1948), which bounds the bits of any one kind, however large the
# group. Fitted to the groups of two innocent worlds (300,000 exchanges, openly declared organisations left out), by
# greatest likelihood: 40 for cards and conversations, 160 for devices, 3 to 5 for exits, blocks and sign-up hours,
# whose clumps are classes and offices and weighed as the rival `cohort_event`. 20 lies between.
CONCENTRATION = 20.0
# A view counts for this many bits at most: 2^12 to one is about the number of accounts that one disclosed campaign
# had, so that one view alone can single out a campaign among as many accounts, and never more than that.
VIEW_CAP = 12.0


@dataclass(frozen=True, slots=True)
class Example:
    """Counts and the bits that they must give: at least (for) or at most (against)."""

    counts: Mapping[str, int]
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Dossier:
    """What everyone needs to know of a kind before trusting it."""

    name: str
    view: View
    claim: Claim
    sees: str
    technique: str | None
    benign_causes: tuple[str, ...]
    explained_by: frozenset[str]
    needs: tuple[str, ...]
    statement: str


@dataclass(frozen=True, slots=True)
class Link(Dossier):
    """Members share values with each other: `sql` gives account_no, value.

    kin: whether the accounts that hold one value are commonly a household, a team or a firm, who come to a tool
    together. Then members are expected to share values with each other as often as accounts do anywhere.
    """

    sql: str
    examples: tuple[Example, ...] = ()
    kin: bool = False


@dataclass(frozen=True, slots=True)
class Trait(Dossier):
    """Members are alike in a score that few outsiders reach: `sql` gives account_no, part, whole."""

    sql: str
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class Conduct(Dossier):
    """What a group's exchanges look like together: `sql` gives group_no and integer counts, `weigh` their bits.

    `weigh` returns bits against every rival by name ("*" stands for all that are not named), or None where the counts
    say nothing.

    most: the most bits that it ever gives against rivals by name, none against those that are not named; None where
    that is not known.
    """

    sql: str
    weigh: Callable[[Mapping[str, int]], dict[str, float] | None]
    examples: tuple[Example, ...] = ()
    most: Mapping[str, float] | None = None


Kind = Link | Trait | Conduct


def shared(what: str) -> str:
    """The statement of a link: how many members share something with each other, and how many outsiders with them."""
    return (
        "{hit} of {members} accounts share " + what + " with another of them; {outsiders_hit} of {outsiders} outside do"
    )


def _log2_beta_binomial(k: Integers, n: Integers, a: Floats | float, b: Floats | float) -> Floats:
    choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.asarray((choose + betaln(k + a, n - k + b) - betaln(a, b)) / np.log(2))


def linkage(joined: int, chances: int, outsiders_hit: int, outsiders: int) -> float:
    """Bits of one group, as `linkages` gives them."""
    return float(linkages(*(np.array([n], np.int64) for n in (joined, chances, outsiders_hit, outsiders)))[0])


def linkages(joined: Integers, chances: Integers, outsiders_hit: Integers, outsiders: Integers) -> Floats:
    """Bits that members are hit because one hand runs them, and not at the rate at which outsiders are.

    joined of chances: hits among members, a first hit of each linked cluster not counted (it had nobody to join).
    outsiders_hit of outsiders: accounts outside that share a value with a member.

    The ratio of two beta-binomials. Null: the outsiders' rate (Jeffreys' estimate) with innocent clumping
    (`CONCENTRATION`). Claim: one hand either leaves this trace (then at any rate: uniform, Laplace's rule) or takes
    care not to (then members are hit as outsiders are), evenly likely. So the absence of a trace costs one bit at most.
    All aligned, one entry a group; no bits where there are no chances.
    """
    some = chances > 0
    joined, chances = np.where(some, joined, 0), np.where(some, chances, 1)
    rate = (outsiders_hit + 0.5) / (outsiders + 1.0)
    null = _log2_beta_binomial(joined, chances, rate * CONCENTRATION, (1 - rate) * CONCENTRATION)
    trace = _log2_beta_binomial(joined, chances, 1.0, 1.0)
    trace = np.where(joined / chances <= rate, np.minimum(trace, null), trace)
    return np.where(some, np.logaddexp2(trace, null) - 1.0 - null, 0.0)


def view_bits(bits: list[float]) -> float:
    """Bits of one view from those of its kinds, whose dependence is unknown: their e-values' mean (Vovk and Wang
    2021), held within `VIEW_CAP`."""
    if not bits:
        return 0.0
    top = mean = max(bits)
    if len(bits) > 1:
        mean += float(np.log2(np.mean(np.exp2(np.array(bits) - top))))
    return max(-VIEW_CAP, min(VIEW_CAP, mean))
