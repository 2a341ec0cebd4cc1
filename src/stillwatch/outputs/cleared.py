"""Groups that looked alike and were not accused: why, and what would decide where that is open."""

from __future__ import annotations

from stillwatch.campaigns.judgement import JudgedFactor
from stillwatch.evidence.weigh import Observation
from stillwatch.findings import Cleared
from stillwatch.outputs.assembled import NamedGroup

EXPLAINED = {
    "popular_artefact": "Strangers who use the same public prompt or tool",
    "cohort_event": "A class, a workshop or a launch",
    "application": "An application that serves its own users",
    "evaluation": "A test suite or benchmark",
    "reseller": "An intermediary with all sorts of customers",
    "contract": "Use that was agreed",
    "one_organisation": "One organisation that uses its accounts openly",
}


def cleared_part(group: NamedGroup) -> Cleared:
    """What was considered, and the rival that explains it best."""
    judged = group.candidate.judgement
    weakest = judged.weakest
    rival = weakest.rivals[0]
    seen = "; ".join(o.statement for o in _told(weakest)) or "nothing but the recurring text joins the accounts"
    title = group.workloads[0].title if group.workloads else "A recurring instruction"
    undetermined = group.candidate.verdict == "undetermined"
    return Cleared(
        id=group.pool_id,
        title=title,
        verdict="undetermined" if undetermined else "cleared",
        explanation=rival.kind.name,
        reason=f"{EXPLAINED.get(rival.kind.name, rival.kind.name)}: {seen}.",
        would_decide=_would_decide(weakest.name) if undetermined else "",
        accounts=len(group.candidate.weighed.members),
        exchanges=group.exchanges,
        probabilities={f.name: round(f.probability, 4) for f in judged.factors},
        workload_id=group.workloads[0].id if group.workloads else None,
        pool_id=group.pool_id,
    )


# What a reader takes as a sign of one hand, the plainest first.
PLAIN = ("shared_payment", "shared_exit", "continued_conversation", "shared_device", "shared_block", "signup_burst")


def _told(factor: JudgedFactor) -> list[Observation]:
    """Two observations that say best why the strongest rival is believed: those against, the plainest first."""
    moved = [(o, bits) for o, bits in factor.rivals[0].moved if bits < 1]
    place = {name: n for n, name in enumerate(PLAIN)}
    return [o for o, _ in sorted(moved, key=lambda m: (m[1] > -1.5, place.get(m[0].kind.name, 99), m[1]))][:2]


def _would_decide(factor: str) -> str:
    return {
        "one_hand": "Payment, device or sign-up data of these accounts, or the addresses behind their gateway.",
        "extraction": "What the accounts do with the answers: ask one of them, or look at a sample with their consent.",
        "unsanctioned": "Whether a contract or a programme covers this use.",
    }[factor]
