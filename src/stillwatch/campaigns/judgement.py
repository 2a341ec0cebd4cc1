"""Pools x workloads -> judged campaigns: three factors, each weighed against named rivals.

`P(campaign) = P(one hand) · P(extraction | one hand) · P(unsanctioned | both)`. Each factor is
`1 / (1 + sum over rivals of 2^-bits)`: the claim's odds against every rival that could explain the same observations
(Bayes' rule with the claim and its rivals as the hypotheses). It is a product, so no amount of one buys the others;
what the product is worth, `calibration` says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.campaigns.calibration import calibration
from stillwatch.evidence.kind import Claim, view_bits
from stillwatch.evidence.weigh import Observation, Weighed


@dataclass(frozen=True, slots=True)
class RivalKind:
    """An explanation that competes with a claim: what it says, and the log2 odds of the claim against it beforehand."""

    name: str
    says: str
    prior_bits: float


# Priors are stated, not measured: there is no census of recurring jobs. They say that of jobs that several accounts
# run, about one in a hundred is run by one hand and four in a hundred by a cohort (a class, a workshop, a launch); and
# that a pool under one hand with a common job is an application, an evaluation, somebody who evades limits or a
# collector with about equal odds, give or take a bit.
RIVALS: dict[Claim, tuple[RivalKind, ...]] = {
    "one_hand": (
        RivalKind("popular_artefact", "strangers who use the same public prompt or pipeline", -7.0),
        RivalKind("cohort_event", "a class, a workshop or a launch that brought strangers to one thing", -2.0),
    ),
    "extraction": (
        RivalKind("application", "a product that serves its own users", -1.0),
        RivalKind("evaluation", "a test suite or benchmark", 0.0),
        RivalKind("reseller", "an intermediary whose customers send all sorts of things", 1.0),
        RivalKind("evader", "a person or a team that evades limits for ordinary use", -1.0),
    ),
    "unsanctioned": (
        RivalKind("contract", "use that was agreed", 2.0),
        RivalKind("one_organisation", "one organisation that uses its accounts openly", 2.0),
    ),
}
# A rival that explains better than this is as good as certain; more bits would not change what a person does.
FLOOR = -20.0


@dataclass(frozen=True, slots=True)
class WeighedRival:
    """One rival of one factor: log2 odds of the claim against it, and the observations that moved them."""

    kind: RivalKind
    bits: float
    moved: tuple[tuple[Observation, float], ...]


@dataclass(frozen=True, slots=True)
class JudgedFactor:
    """A factor's probability and its rivals, the strongest (fewest bits) first."""

    name: Claim
    probability: float
    rivals: tuple[WeighedRival, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The three factors of one group."""

    factors: tuple[JudgedFactor, ...]

    @property
    def probability(self) -> float:
        """What their product stands for (`calibration`)."""
        return calibration().of(self.product)

    @property
    def product(self) -> float:
        """Their product."""
        product = 1.0
        for factor in self.factors:
            product *= factor.probability
        return product

    @property
    def weakest(self) -> JudgedFactor:
        """The factor that speaks most against the claim."""
        return min(self.factors, key=lambda f: f.probability)


def _against(claim: Claim, rival: RivalKind, speaking: Sequence[Observation]) -> WeighedRival:
    """Sum the bits against a rival: within a view averaged as e-values, over views added.

    speaking: the observations that may move the odds of the claim.
    """
    by_view: dict[str, list[float]] = defaultdict(list)
    moved = []
    for seen in speaking:
        if seen.by_rival and not seen.speaks_of(claim, rival.name):
            continue
        bits = seen.against(rival.name)
        # Conduct is weighed by rates of its own, not by the members' links: each such kind stands for itself.
        by_view[f"{seen.kind.view} {seen.kind.name}" if seen.by_rival else seen.kind.view].append(bits)
        moved.append((seen, bits))
    total = rival.prior_bits + sum(view_bits(bits) for bits in by_view.values())
    return WeighedRival(rival, max(FLOOR, total), tuple(moved))


def judge(group: Weighed, ceiling: float = 1.0) -> Judgement:
    """Judge one group of accounts by what was seen of it.

    ceiling: the most that P(one hand) may be, where the group was selected by the very links that it is judged by.
    """
    factors = []
    for claim, rivals in RIVALS.items():
        speaking = [seen for seen in group.observations if seen.by_rival or seen.kind.claim == claim]
        weighed = sorted((_against(claim, r, speaking) for r in rivals), key=lambda w: (w.bits, w.kind.name))
        probability = 1.0 / (1.0 + sum(2.0**-w.bits for w in weighed))
        if claim == "one_hand":
            probability = min(probability, ceiling)
        factors.append(JudgedFactor(claim, probability, tuple(weighed)))
    return Judgement(tuple(factors))
