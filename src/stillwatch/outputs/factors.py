"""The three factors of a judgement as parts of the document."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from stillwatch.campaigns.judgement import JudgedFactor
from stillwatch.evidence.kind import view_bits
from stillwatch.evidence.weigh import Observation
from stillwatch.findings import Evidence, Factor, Rival


def shares(factor: JudgedFactor) -> list[tuple[Observation, float]]:
    """Each observation's part of the bits against the factor's strongest rival; they add up to it with the prior.

    Within a view the mean of e-values is shared out by how much each adds to it; then all are scaled by the view's cap.
    """
    views: dict[str, list[tuple[Observation, float]]] = defaultdict(list)
    for seen, bits in factor.rivals[0].moved:
        views[f"{seen.kind.view} {seen.kind.name}" if seen.by_rival else seen.kind.view].append((seen, bits))
    parts = []
    for several in views.values():
        total = view_bits([b for _, b in several])
        weight = np.exp2(np.array([b for _, b in several]) - max(b for _, b in several))
        parts += [(seen, total * float(w) / float(weight.sum())) for (seen, _), w in zip(several, weight, strict=True)]
    return sorted(parts, key=lambda p: (-abs(p[1]), p[0].kind.name))


def factor_part(factor: JudgedFactor, subject: str) -> Factor:
    """One factor of the campaign `subject`: its evidence, its rivals, and what they leave of it."""
    strongest = factor.rivals[0]
    evidence = [
        Evidence(
            id=f"{subject}:{factor.name}:{seen.kind.name}",
            subject=subject,
            claim=factor.name,
            kind=seen.kind.name,
            view=seen.kind.view,
            bits=round(bits, 3),
            statement=seen.statement,
            technique=seen.kind.technique,
            benign_causes=list(seen.kind.benign_causes),
        )
        for seen, bits in shares(factor)
    ]
    rivals = [
        Rival(name=r.kind.name, bits=round(r.bits, 3), reason=r.kind.says[0].upper() + r.kind.says[1:])
        for r in factor.rivals
    ]
    return Factor(
        name=factor.name,
        probability=factor.probability,
        prior_bits=strongest.kind.prior_bits,
        evidence=evidence,
        rivals=rivals,
        strongest_rival=strongest.kind.name,
    )
